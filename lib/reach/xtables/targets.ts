import type { Reader } from './extension.js';
import { ct, notrack } from './targets/ct.js';
import { connmark, mark } from './targets/mark.js';
import { dnat, masquerade, netmap, redirect, snat } from './targets/nat.js';
import { audit, checksum, classify, log, nflog, nfqueue, tcpmss, trace } from './targets/notes.js';
import { reject } from './targets/reject.js';
import { set } from './targets/set.js';

interface Target {
  readonly read: Reader;
  /** What it can do: nothing that matters, speak a verdict, or change what rules behind it see. */
  readonly does: 'nothing' | 'speaks' | 'changes';
}

const nothing = (read: Reader): Target => ({ read, does: 'nothing' });
const speaks = (read: Reader): Target => ({ read, does: 'speaks' });
const changes = (read: Reader): Target => ({ read, does: 'changes' });

/** By the kernel's name. */
export const targets: ReadonlyMap<string, Target> = new Map(
  Object.entries({
    AUDIT: nothing(audit),
    CHECKSUM: nothing(checksum),
    CLASSIFY: nothing(classify),
    LOG: nothing(log),
    NFLOG: nothing(nflog),
    TRACE: nothing(trace),
    REJECT: speaks(reject),
    NFQUEUE: speaks(nfqueue),
    CONNMARK: changes(connmark),
    CT: changes(ct),
    DNAT: changes(dnat),
    MARK: changes(mark),
    MASQUERADE: changes(masquerade),
    NETMAP: changes(netmap),
    NOTRACK: changes(notrack),
    REDIRECT: changes(redirect),
    SET: changes(set),
    SNAT: changes(snat),
    TCPMSS: changes(tcpmss),
  }),
);
