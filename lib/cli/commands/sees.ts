import { formatAddress } from '../../model/address.js';
import type { HostState } from '../../model/host-state.js';
import type { Transport } from '../../model/socket.js';
import type { Suspicion, SymptomQuestion } from '../../reach/symptom.js';
import type { Symptom } from '../../reach/verdict.js';
import { addressArgument } from '../arguments.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { checkInterface } from '../peer-flow.js';
import { jsonDocument } from '../render/printable.js';
import { type RemediedSuspect, seesText } from '../render/sees.js';

/** `earshot PORT --from ADDRESS --sees ERROR`: what on this host makes that peer see that. */
export async function sees(
  state: HostState,
  asked: {
    port: number;
    protocols: readonly Transport[];
    from: string;
    in?: string;
    sees: Symptom;
  },
  json: boolean,
  context: Context,
): Promise<Answer> {
  const peer = formatAddress(addressArgument(asked.from, '--from'));
  if (asked.in !== undefined) checkInterface(state, asked.in);
  const question: SymptomQuestion = {
    protocols: asked.protocols,
    port: asked.port,
    peer,
    sees: asked.sees,
    ingress: asked.in ?? null,
    wayBack: await context.services.wayBack(state, peer),
  };
  const { suspects, open } = await context.services.suspects(state, question);
  const remedied: RemediedSuspect[] = [];
  for (const suspect of suspects) {
    remedied.push({ ...suspect, remedies: await context.services.remedies(state, suspect.flow) });
  }
  const suspicion = { suspects: remedied, open };
  return {
    text: json ? jsonDocument(suspicion) : seesText(state, question, suspicion, context.view),
    status: statusOf(suspicion),
  };
}

/** Yes where something here surely does it. */
function statusOf({ suspects }: Suspicion): ExitStatus {
  if (suspects.some(({ certain }) => certain)) return ExitStatus.yes;
  return suspects.length > 0 ? ExitStatus.unknown : ExitStatus.no;
}
