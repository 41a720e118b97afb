export { EarshotError, type ErrorCode, type KernelRefusal } from './errors.js';
export { capture } from './kernel/capture.js';
export { closeSocket } from './kernel/close-socket.js';
export { interfaces } from './kernel/interfaces.js';
export { owners } from './kernel/owners.js';
export { listeners, listenersSync, sockets, socketsSync, socketTable } from './kernel/sockets.js';
export type {
  CongestionFacts,
  CongestionState,
  ExtendedFacts,
  SocketFlag,
  SocketMemory,
  SocketTimer,
  TcpInfo,
  TcpNumber,
  TcpOption,
} from './model/extended.js';
export type {
  Firewall,
  Hook,
  Nftables,
  NftChain,
  NftFamily,
  NftTable,
} from './model/firewall.js';
export type { HeldPorts } from './model/held-ports.js';
export {
  type CapturePlace,
  HOST_STATE_VERSION,
  type HostState,
  type Missing,
  type MissingPart,
} from './model/host-state.js';
export type {
  Interface,
  InterfaceAddress,
  Ipv4Settings,
  Ipv6Settings,
} from './model/interface.js';
export type { IpSet } from './model/ipset.js';
export type { NextHop, Route, RouteType } from './model/route.js';
export type { Rule, RuleAction } from './model/rule.js';
export type {
  Hex,
  NftComparison,
  NftData,
  NftExpression,
  NftFlowtable,
  NftObject,
  NftRule,
  NftSet,
  NftVerdict,
  PayloadBase,
  Register,
} from './model/ruleset.js';
export type {
  CaptureOptions,
  Endpoint,
  Family,
  PortRange,
  Process,
  ReadOptions,
  Socket,
  SocketFilter,
  SocketOptions,
  SocketState,
  Transport,
} from './model/socket.js';
export type { SocketTable, TypedArray } from './model/socket-table.js';
export { checkState, parseState } from './model/state-check.js';
export type {
  InterfaceName,
  LegacyChain,
  LegacyRule,
  LegacyTable,
  LegacyTables,
  MaskedAddress,
  XtablesExtension,
} from './model/xtables.js';
export type { BindError } from './reach/bind/address.js';
export { type BindCheck, type BindSpec, checkBind, type HeldPort } from './reach/bind.js';
export { exposure } from './reach/exposure.js';
export type { Blocked, Exposure, Reach, Remedy, Scope, Untold } from './reach/exposure-row.js';
export type { Flow } from './reach/flow.js';
export { type RemedyOptions, remedies } from './reach/remedies/remedies.js';
export { trace } from './reach/trace.js';
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
} from './reach/verdict.js';
export type { Change, NetworkChange, Watcher, WatchOptions } from './watch/change.js';
export { watch } from './watch/watch.js';
