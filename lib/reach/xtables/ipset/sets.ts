import type { IpSet } from '../../../model/ipset.js';
import type { Frame } from '../../nftables/frame.js';
import type { Run } from '../../nftables/run.js';
import type { Answer } from '../extension.js';
import { type FieldKind, type Found, fieldKinds, type Key, SetIndex } from './set.js';

/** How a rule asks a set (struct ip_set_adt_opt). */
export interface Question {
  /** How many fields the rule names; a set of more is not asked. */
  readonly dimension: number;
  /** For each field: is it the packet's source side that counts? */
  readonly bySource: readonly boolean[];
  /** `--return-nomatch`: what is left out counts, and nothing else. */
  readonly returnsNomatch: boolean;
}

/** Lists hold sets, and no lists; a spoiled capture may have a loop. */
const deepest = 2;

/** One set, made ready when it is first asked. */
export class ReadySet {
  #index: SetIndex | null = null;
  readonly #fields: readonly FieldKind[] | null;

  constructor(
    readonly set: IpSet,
    private readonly others: IpSets,
  ) {
    this.#fields = fieldsOf(set.type);
  }

  /** ip_set_test, and what stands on it for each type. */
  test(run: Run, question: Question, depth = 0): Answer {
    const { set } = this;
    if (run.touched.has(this)) return 'may';
    if (set.type === 'list:set')
      return depth < deepest ? this.#testList(run, question, depth) : 'may';
    const fields = this.#fields;
    if (!fields) return 'may';
    if (question.dimension < fields.length) return false;
    if (set.family !== null && set.family !== run.frame.family) return false;
    const keys = keysOf(run, fields, question.bySource);
    if (keys === null || keys === 'may') return keys ?? false;
    this.#index ??= new SetIndex(set, fields);
    const wanted = wantedBy(question, fields);
    const isFound = this.#index.find(keys) === wanted;
    this.#askForPeer(run, this.#index, keys, wanted, isFound);
    return isFound;
  }

  /** Notes who else is found so, where one of the fields is the peer's address. */
  #askForPeer(
    run: Run,
    index: SetIndex,
    keys: readonly Key[],
    wanted: Found,
    isFound: boolean,
  ): void {
    const { peer } = run;
    if (!peer) return;
    const places = [...keys.entries()].filter(
      ([, key]) => key.kind === 'address' && peer.isPeer(key.address),
    );
    if (places.length > 1) run.looksAtPeer();
    const [place] = places[0] ?? [];
    if (places.length !== 1 || place === undefined) return;
    const { name, ranges } = index.peersLike(keys, place, wanted);
    peer.asks(`ipset ${this.set.name} ${name}`, ranges, isFound);
  }

  /** list_set_ktest: one member that has it is enough. */
  #testList(run: Run, question: Question, depth: number): Answer {
    let answer: Answer = false;
    for (const name of this.set.elements) {
      const member = this.others.named(name);
      const one = member ? member.test(run, question, depth + 1) : 'may';
      if (one === true) return true;
      if (one === 'may') answer = 'may';
    }
    return answer;
  }
}

/** Which elements count: those that match, or with `--return-nomatch` those that are left out. */
function wantedBy({ returnsNomatch }: Question, fields: readonly FieldKind[]): Found {
  return returnsNomatch && fields.includes('net') ? 'nomatch' : 'match';
}

/** `hash:net,port` has a network and a port; `null` for a type that this version does not know. */
function fieldsOf(type: string): FieldKind[] | null {
  const [method, names] = type.split(':') as [string, string | undefined];
  const fields = names?.split(',') ?? [];
  const known = fields.every((name) => (fieldKinds as readonly string[]).includes(name));
  const networks = fields.filter((name) => name === 'net').length;
  return known && networks < 2 && (method === 'hash' || method === 'bitmap')
    ? (fields as FieldKind[])
    : null;
}

/** What the packet has for each field; `null` where it has no such thing, and so is in no set. */
function keysOf(
  run: Run,
  fields: readonly FieldKind[],
  bySource: readonly boolean[],
): Key[] | 'may' | null {
  const { frame } = run;
  const keys: Key[] = [];
  for (const [place, field] of fields.entries()) {
    const source = bySource[place] ?? false;
    if (field === 'iface') {
      const name = (source ? frame.input : frame.output)?.name;
      if (name === undefined) return null;
      keys.push({ kind: 'interface', name });
    } else if (field === 'port') {
      run.peer?.port?.blur();
      const port = portOf(frame, source);
      if (port === null) return 'may';
      keys.push({ kind: 'port', protocol: frame.protocol, port });
    } else {
      const address = source ? frame.tuple.source : frame.tuple.destination;
      keys.push({ kind: 'address', address });
    }
  }
  return keys;
}

/** ip_set_get_ip4_port: an error of ICMP is asked for by its type and code. */
function portOf({ hasPorts, tuple }: Frame, source: boolean): number | null {
  if (!hasPorts) return null;
  return source ? tuple.sourcePort : tuple.destinationPort;
}

/** The sets of a network namespace; none are known where they could not be read. */
export class IpSets {
  readonly #byIndex = new Map<number, ReadySet>();
  readonly #byName = new Map<string, ReadySet>();

  constructor(sets: readonly IpSet[] | null) {
    for (const set of sets ?? []) {
      const ready = new ReadySet(set, this);
      this.#byIndex.set(set.index, ready);
      this.#byName.set(set.name, ready);
    }
  }

  at(index: number): ReadySet | null {
    return this.#byIndex.get(index) ?? null;
  }

  named(name: string): ReadySet | null {
    return this.#byName.get(name) ?? null;
  }
}
