import type { HostState } from '../model/host-state.js';
import type { CaptureOptions, SocketFilter } from '../model/socket.js';
import type { BindCheck, BindSpec } from '../reach/bind.js';
import type { Exposure, Remedy } from '../reach/exposure-row.js';
import type { Flow } from '../reach/flow.js';
import type { Suspicion, SymptomQuestion } from '../reach/symptom.js';
import type { Cause, Verdict } from '../reach/verdict.js';
import type { Watcher, WatchOptions } from '../watch/change.js';

/** The parts of the library that the command stands on, so that it can be tested without a kernel. */
export interface Services {
  capture(options: CaptureOptions): Promise<HostState>;
  parseState(text: string): Promise<HostState>;
  exposure(state: HostState, filter?: SocketFilter): Promise<Exposure[]>;
  trace(state: HostState, flow: Flow): Promise<Verdict>;
  remedies(state: HostState, flow: Flow): Promise<Remedy[]>;
  checkBind(state: HostState, bind: BindSpec): Promise<BindCheck>;
  suspects(state: HostState, question: SymptomQuestion): Promise<Suspicion>;
  /** Says why, as the rest of a sentence: what stands behind the colon. */
  reasons(): Promise<(cause: Cause) => string>;
  /**
   * The interface by which this host would send to a peer, `null` where it has no route there: by
   * it a packet of that peer can be expected to arrive.
   */
  wayBack(state: HostState, peer: string): Promise<string | null>;
  watch(options: WatchOptions): Promise<Watcher>;
  /** The name of a user of this machine, `null` where none is known. */
  userName(uid: number): Promise<string | null>;
}

const library = () => import('./library.js');

/** The real ones, loaded when one is first called: `earshot --version` needs none of them. */
export const services: Services = {
  async capture(options) {
    return (await library()).capture(options);
  },
  async parseState(text) {
    return (await library()).parseState(text);
  },
  async exposure(state, filter) {
    return (await library()).exposure(state, filter);
  },
  async trace(state, flow) {
    return (await library()).trace(state, flow);
  },
  async remedies(state, flow) {
    return (await import('./library.js')).remedies(state, flow);
  },
  async checkBind(state, bind) {
    return (await library()).checkBind(state, bind);
  },
  async suspects(state, question) {
    return (await library()).suspects(state, question);
  },
  async reasons() {
    return (await import('./library.js')).reasonFor;
  },
  async wayBack(state, peer) {
    return (await library()).wayBack(state, peer);
  },
  async watch(options) {
    return (await library()).watch(options);
  },
  async userName(uid) {
    return (await import('./user-names.js')).userName(uid);
  },
};
