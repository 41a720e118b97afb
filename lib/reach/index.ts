/*
 * `earshot/reach`: evaluating a capture. Pure: it loads no addon, reads no kernel, and works on
 * every platform.
 */
export { EarshotError, type ErrorCode } from '../errors.js';
export type { HostState, Missing } from '../model/host-state.js';
export type { Family, Socket, SocketFilter, Transport } from '../model/socket.js';
export { checkState, parseState } from '../model/state-check.js';
export type { BindError } from './bind/address.js';
export { type BindCheck, type BindSpec, checkBind, type HeldPort } from './bind.js';
export { exposure } from './exposure.js';
export type { Blocked, Exposure, Reach, Remedy, Scope, Untold } from './exposure-row.js';
export type { Flow } from './flow.js';
export { type RemedyOptions, remedies } from './remedies/remedies.js';
export { trace } from './trace.js';
export type {
  Assumption,
  Cause,
  CauseCode,
  Direction,
  Outcome,
  RuleReference,
  RuleTool,
  Stage,
  Step,
  StepAction,
  Symptom,
  Verdict,
} from './verdict.js';
