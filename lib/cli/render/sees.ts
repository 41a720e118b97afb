import { formatEndpoint } from '../../model/endpoint.js';
import type { HostState } from '../../model/host-state.js';
import type { Remedy } from '../../reach/exposure-row.js';
import type { Flow } from '../../reach/flow.js';
import type { Suspect, SymptomQuestion } from '../../reach/symptom.js';
import type { Symptom } from '../../reach/verdict.js';
import { fields } from './fields.js';
import { missingText } from './missing.js';
import { printable } from './printable.js';
import { symptomWords } from './symptom-words.js';
import { enumerate, paragraph } from './text.js';
import { verdictFields } from './trace.js';
import { palette, type View } from './view.js';

/** How many suspects are shown; the JSON has all. */
const mostShown = 5;

/** A suspect with the changes that were proved to let its flow through. */
export type RemediedSuspect = Suspect & { remedies: readonly Remedy[] };

/** What on this host makes a peer see an error, the likeliest first. */
export function seesText(
  state: HostState,
  question: SymptomQuestion,
  { suspects, open }: { suspects: readonly RemediedSuspect[]; open: readonly Flow[] },
  view: View,
): string {
  const { peer, port, sees } = question;
  const certain = suspects.filter((suspect) => suspect.certain);
  const perhaps = suspects.filter((suspect) => !suspect.certain);
  const error = symptomWords(sees);
  const order = certain.length > 1 ? ', the likeliest first' : '';
  const head =
    certain.length > 0
      ? `On port ${port}, this is what makes ${peer} see ${error}${order}:`
      : perhaps.length > 0
        ? `Nothing that could be read makes ${peer} see ${error} on port ${port}. This may:`
        : `Nothing on this host makes ${peer} see ${error} on port ${port}. ${elsewhere(sees)}`;
  const parts = [paragraph(head, view.width)];
  const shown = certain.length > 0 ? certain : perhaps;
  for (const suspect of shown.slice(0, mostShown)) parts.push(suspectText(state, suspect, view));
  const more = shown.length - mostShown;
  if (more > 0) parts.push(`and ${more} more (--json tells all)`);
  const [first] = open;
  if (first && certain.length === 0) {
    const by = first.ingress === 'lo' ? 'from this host itself' : `on ${printable(first.ingress)}`;
    const text = `It would get in to ${formatEndpoint(first.destination)}/${first.protocol}, arriving ${by}.`;
    parts.push(paragraph(text, view.width));
  }
  if (perhaps.length > 0 && state.missing.length > 0) parts.push(missingText(state, view));
  return `${parts.join('\n\n')}\n`;
}

function suspectText(state: HostState, suspect: RemediedSuspect, view: View): string {
  const colours = palette(view);
  const { interface: name, addresses, protocol, flow, verdict, certain, expected } = suspect;
  const by = name === 'lo' ? 'from this host itself' : `arriving on ${printable(name)}`;
  const unexpected = expected ? '' : ', where it is not expected';
  const targets = addresses.map((address) =>
    formatEndpoint({ address, port: flow.destination.port }),
  );
  const title = `${enumerate(targets, 3)}/${protocol}, ${by}${unexpected}`;
  const style = certain ? colours.danger : colours.unknown;
  return [
    ...paragraph(title, view.width, '  ').split('\n').map(style),
    ...fields(
      [
        { label: 'Why', lines: [printable(verdict.explanation)] },
        ...verdictFields(state, flow, verdict, suspect.remedies),
      ],
      view.width,
      '    ',
      colours.faint,
    ),
  ].join('\n');
}

/** Where to look when it is not this host. */
function elsewhere(sees: Symptom): string {
  switch (sees) {
    case 'ETIMEDOUT':
      return 'The packet is lost before this host, or the answer behind it: look at firewalls, routers and security groups in between, and at the address that was asked for.';
    case 'ECONNREFUSED':
    case 'ECONNRESET':
    case 'ENOPROTOOPT':
      return 'The packet is lost before this host: somebody else refuses it, a firewall or proxy in between or a host that has the address that was asked for.';
    case 'EHOSTUNREACH':
      return 'The packet is lost before this host: a router or firewall in between says so, or the peer finds no neighbour of the address that was asked for.';
    case 'ENETUNREACH':
      return 'The packet is lost before this host: the peer has no route here, or a router in between says so.';
    case 'EACCES':
    case 'EPERM':
    case 'EINVAL':
    case 'EADDRNOTAVAIL':
      return 'The packet is lost before this host: the peer itself refuses to send it, by its own rules, routes or addresses.';
  }
}
