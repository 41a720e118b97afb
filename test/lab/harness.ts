import type { Namespace, Sysctls } from './namespaces.js';
import {
  closeListeners,
  type FlowResult,
  type FlowSpec,
  ListenError,
  type Listener,
  type ListenerSpec,
  runFlows,
  tryListen,
} from './sockets.js';
import { build, HOST, type HostDescription, type Machine } from './topology.js';

/** A flow as tests write it: clients by the name of their machine. */
export type LabFlow = Omit<FlowSpec, 'from'> & { from: string };

/** A host, its peers, and the sockets opened on them. */
export class Lab {
  readonly machines: Map<string, Machine>;
  /** How long building took. */
  readonly builtInMs: number;
  readonly listeners: Listener[] = [];
  readonly #close: () => void;

  private constructor(machines: Map<string, Machine>, close: () => void, builtInMs: number) {
    this.machines = machines;
    this.#close = close;
    this.builtInMs = builtInMs;
  }

  static async build(description: HostDescription): Promise<Lab> {
    const started = performance.now();
    const { machines, close } = await build(description);
    return new Lab(machines, close, performance.now() - started);
  }

  get host(): Machine {
    return this.machine(HOST);
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name);
    if (!machine) {
      throw new Error(`the lab has no machine '${name}': ${[...this.machines.keys()].join(', ')}`);
    }
    return machine;
  }

  namespace(name: string): Namespace {
    return this.machine(name).namespace;
  }

  /** Opens sockets on the host, or on another machine. All must open. */
  listen(specs: ListenerSpec[], machine = HOST): Listener[] {
    const opened = this.tryListen(specs, machine);
    const failure = opened.find((one) => one instanceof ListenError);
    if (failure) throw failure;
    return opened as Listener[];
  }

  /** Opens sockets: for each the listener, or what the kernel refused. */
  tryListen(specs: ListenerSpec[], machine = HOST): (Listener | ListenError)[] {
    const opened = tryListen(this.namespace(machine), specs);
    this.listeners.push(...opened.filter((one): one is Listener => !(one instanceof ListenError)));
    return opened;
  }

  /** Closes some listeners, or all. */
  unlisten(listeners: Listener[] = [...this.listeners]): void {
    closeListeners(listeners);
    for (const listener of listeners) this.listeners.splice(this.listeners.indexOf(listener), 1);
  }

  sysctl(settings: Sysctls, machine = HOST): void {
    this.namespace(machine).sysctl(settings);
  }

  async ip(lines: string[], machine = HOST): Promise<string> {
    const output = await this.namespace(machine).ip(lines);
    await this.namespace(machine).settle();
    return output;
  }

  nft(rules: string, machine = HOST): Promise<string> {
    return this.namespace(machine).nft(rules);
  }

  /** Really connects, all flows at once, every listener of the lab serving. */
  run(flows: LabFlow[]): Promise<FlowResult[]> {
    return runFlows(
      this.listeners,
      flows.map((flow) => ({ ...flow, from: this.namespace(flow.from) })),
    );
  }

  close(): void {
    this.unlisten();
    this.#close();
  }
}

/** Builds a lab, hands it over, and lets go of it whatever happens. */
export async function withLab<Result>(
  description: HostDescription,
  use: (lab: Lab) => Promise<Result>,
): Promise<Result> {
  const lab = await Lab.build(description);
  try {
    return await use(lab);
  } finally {
    lab.close();
  }
}
