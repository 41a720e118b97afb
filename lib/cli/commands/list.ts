import type { SocketFilter } from '../../model/socket.js';
import type { Blocked, Exposure } from '../../reach/exposure-row.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { type ProtocolOptions, protocolsAsked } from '../protocols.js';
import { listText } from '../render/list.js';
import { jsonDocument } from '../render/printable.js';
import { obtainState, type StateOptions } from '../state-source.js';

export interface ListOptions extends StateOptions, ProtocolOptions {
  json?: boolean;
}

/** `earshot`: every listening socket and who reaches it. */
export async function list(options: ListOptions, context: Context): Promise<Answer> {
  const protocols = protocolsAsked(options);
  const state = await obtainState(options, context);
  const filter: SocketFilter = protocols.length === 2 ? {} : { protocol: protocols };
  const exposures = await context.services.exposure(state, filter);
  return {
    text: options.json
      ? jsonDocument(exposures.map(withoutRemedies))
      : listText(state, exposures, context.view),
    status: ExitStatus.yes,
  };
}

/** To find what would help everybody who is kept out of every port takes long: a port's own answer has it. */
function withoutRemedies(exposure: Exposure): unknown {
  const short = (row: Blocked) =>
    Object.fromEntries(
      Object.keys(row)
        .filter((key) => key !== 'remedies')
        .map((key) => [key, row[key as keyof Blocked]]),
    );
  const { blocked, unknown } = exposure;
  return { ...exposure, blocked: blocked.map(short), unknown: unknown.map(short) };
}
