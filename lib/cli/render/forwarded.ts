import { formatEndpoint } from '../../model/endpoint.js';
import type { Cause } from '../../reach/verdict.js';
import type { CauseWords } from './causes.js';
import { printable } from './printable.js';

type Forwarded = Extract<Cause, { code: 'forwarded' }>;

/** What is sent on, and its answer too, in words. */
export function letThroughWords(there: string): CauseWords {
  return {
    why: `Rules send it on to ${there}, and let it and its answer through: the destination is translated before the packet is routed, and no rule at input is asked.`,
    brief: `open, sent on to ${there}`,
    hint: null,
  };
}

/** What is forwarded, in words, where it is not known that an answer gets back. */
export function forwardedWords({ translatedTo, interface: out, gateway }: Forwarded): CauseWords {
  const way = `by ${printable(out)}${gateway === null ? '' : ` via ${gateway}`}`;
  if (translatedTo === null) {
    return {
      why: `This host passes the packet on ${way}: the destination is elsewhere, and so is what becomes of it.`,
      brief: `forwarded ${way}`,
      hint: 'Ask on the host that it is forwarded to.',
    };
  }
  const there = formatEndpoint(translatedTo);
  return {
    why: `Rules send it on to ${there}, ${way}: whether its answer comes back through this host, where alone it is translated back, is not known.`,
    brief: `sent on to ${there}, whose answer may pass this host by`,
    hint: 'Have rules translate the source too (masquerade): then the answer has to come back here.',
  };
}
