/*
 * What the command uses of the library, in one file: the bundled command loads it when it first needs
 * any of it, as the library's own bundle has it, so that the package holds one copy of each.
 */

export { capture } from '../kernel/capture.js';
export { readListenCounters } from '../kernel/listen-counters.js';
export { listeners, socketTable } from '../kernel/sockets.js';
export { TCP_STATES, UDP_STATES } from '../model/socket-table.js';
export { parseState } from '../model/state-check.js';
export { checkBind } from '../reach/bind.js';
export { reasonFor } from '../reach/explain.js';
export { exposure } from '../reach/exposure.js';
export { remedies } from '../reach/remedies/remedies.js';
export { suspects } from '../reach/symptom.js';
export { trace } from '../reach/trace.js';
export { watch } from '../watch/watch.js';
export { wayBack } from './way-back.js';
