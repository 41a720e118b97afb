import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { capture } from '#earshot/kernel/capture.js';
import { remedies } from '#earshot/reach/remedies/remedies.js';
import { trace } from '#earshot/reach/trace.js';
import type { Scene } from '../firewalls/scene.js';
import { fail2ban } from '../firewalls/scenes/fail2ban.js';
import { firewalld } from '../firewalls/scenes/firewalld.js';
import { ufw } from '../firewalls/scenes/ufw.js';
import { startFirewall } from '../firewalls/start.js';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { flowOf } from '../witness.js';
import { type Backend, backends, iptablesTools } from '../xtables/load.js';

/*
 * Firewalls that people run keep some out: what earshot says would let these in is typed where the
 * firewall runs, and then they get in. And out again, by what it says would close that.
 */

const root = {
  name: 'root',
  missing: () => (process.getuid?.() === 0 ? null : 'daemons need root itself'),
};

/** Each takes a daemon seconds: these many for each firewall and backend. */
const mostTyped = 6;

scenario(ufw, /^ufw (prepend )?(allow|deny) /);
scenario(firewalld, /^firewall-cmd --zone=public /);
scenario(fail2ban, /^(fail2ban-client set |ip6?tables-)/);

function scenario(scene: Scene, itsOwn: RegExp): void {
  const test = labTest([...iptablesTools, ...scene.tools], [root]).serial;
  for (const backend of backends)
    test(`${scene.name} over iptables-${backend}: what would help is told in its words, and helps`, (t) =>
      hold(t, scene, backend, itsOwn));
}

async function hold(
  t: ExecutionContext,
  scene: Scene,
  backend: Backend,
  itsOwn: RegExp,
): Promise<void> {
  t.timeout(180_000);
  await withLab(scene.host, async (lab) => {
    const running = await startFirewall(lab.host.namespace, backend, scene.start, scene.stop);
    try {
      scene.serve(lab);
      let typed = 0;
      for (const flow of chosen(scene)) {
        if (typed === mostTyped) break;
        const [before] = await lab.run([flow]);
        const asked = flowOf(lab, flow, { ...before!, askedFrom: null });
        const look = async () => capture({ netns: lab.host.namespace.path });
        const state = await look();
        if (trace(state, asked).outcome !== 'unreachable') continue;
        const [remedy] = remedies(state, asked);
        // To the closed port no rule lets anybody.
        if (!remedy?.command) continue;
        t.regex(remedy.command, itsOwn);
        await running.type(remedy.command);
        await settled();
        const [after] = await lab.run([flow]);
        t.is(after?.outcome, 'reachable', `${JSON.stringify(asked)}: ${remedy.command}`);
        const now = await look();
        t.is(trace(now, asked).outcome, 'reachable', 'a new capture says the same');
        typed++;
        const [closing] = remedies(now, asked, { goal: 'close' });
        if (!closing?.command || typed % 2 === 0) continue;
        await running.type(closing.command);
        await settled();
        const [closed] = await lab.run([flow]);
        t.is(closed?.outcome, 'unreachable', `${JSON.stringify(asked)}: ${closing.command}`);
      }
      t.log(`${typed} lines typed`);
      t.true(typed > 4, `${typed} were typed`);
    } finally {
      await running.close();
    }
  });
}

/** Ports, families and protocols by turns, where there are enough; all of fail2ban's. */
function chosen({ flows, name }: Scene): Scene['flows'] {
  const others = flows.filter(({ from }) => from !== 'host');
  return name === 'fail2ban' ? others : others.filter((_, place) => place % 5 === 0);
}

/** A daemon answers before it has done it. */
function settled(): Promise<void> {
  return sleep(150);
}
