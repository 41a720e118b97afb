import * as z from 'zod/mini';
import { parsePrefix } from '../../model/address.js';
import { UsageError } from '../usage-error.js';

/*
 * A policy says which ports may be reached by whom. The schema is the one description of its form: what
 * is read is held against it, and the JSON Schema for editors is made from it.
 */

const mostPort = 65_535;

/** First and last port of `8000-8010`, or of one port; null where the text is neither. */
export function portRange(text: string): [first: number, last: number] | null {
  const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  if (first === '') return null;
  const range: [number, number] = [Number(first), Number(last)];
  return range[0] >= 1 && range[0] <= range[1] && range[1] <= mostPort ? range : null;
}

const port = z
  .number()
  .check(
    z.int('is no port: give a whole number from 1 to 65535'),
    z.minimum(1, 'is no port: give a whole number from 1 to 65535'),
    z.maximum(mostPort, 'is no port: give a whole number from 1 to 65535'),
  );

const ports = z.union(
  [
    port,
    z.string().check(
      z.regex(/^\d{1,5}-\d{1,5}$/, "is no range of ports: write '8000-8010'"),
      z.refine((text) => portRange(text) !== null, {
        error: "is no range of ports: write the lower one first, from 1 to 65535: '8000-8010'",
        when: ({ value }) => typeof value === 'string' && /^\d{1,5}-\d{1,5}$/.test(value),
      }),
    ),
  ],
  "is neither a port nor a range of ports: write 443 or '8000-8010'",
);

const noPeers = "is nobody: write 'anyone', 'link' or a prefix such as '10.0.0.0/8'";

const peers = z.union(
  [
    z.enum(['anyone', 'link']),
    z.string().check(z.refine((text) => parsePrefix(text) !== null, noPeers)),
  ],
  noPeers,
);

const from = z
  .array(peers)
  .check(
    z.describe(
      "Who may: 'anyone', 'link' (whose address is of a network of the interface they come in by), or prefixes. Nobody but this host itself where it is empty.",
    ),
  );

const rule = z.strictObject({
  protocol: z
    .optional(z.enum(['tcp', 'udp']))
    .check(z.describe('Default: both, which is one rule for each.')),
  ports: z
    .union([ports, z.array(ports).check(z.minLength(1, 'is empty: name a port'))])
    .check(z.describe("A port, a range such as '8000-8010', or a list of these.")),
  from,
  interfaces: z
    .optional(
      z.array(z.string()).check(z.minLength(1, 'is empty: leave it out for every interface')),
    )
    .check(z.describe('Only packets that come in by these; default: by any.')),
  comment: z.optional(z.string()),
});

const policySchema = z.strictObject({
  $schema: z.optional(z.string()),
  version: z.literal(1, 'is no version of a policy: write 1'),
  rules: z.array(rule),
  otherwise: z
    ._default(z.optional(from), [])
    .check(
      z.describe('Who may reach ports that no rule names. Default: nobody but this host itself.'),
    ),
});

export type Peers = z.infer<typeof peers>;
export type PolicyRule = z.infer<typeof rule>;
/** Who may reach which ports. This host itself always may. */
export type Policy = z.output<typeof policySchema>;

/** As JSON Schema, for editors. */
export function policyJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(policySchema, { io: 'input', target: 'draft-2020-12' }),
    title: 'A policy of earshot audit',
  };
}

/** Reads a policy; `name` says which in what is refused. */
export function parsePolicy(text: string, name: string): Policy {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name} is no JSON: ${(error as Error).message}`);
  }
  const result = z.safeParse(policySchema, value, { reportInput: true });
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => issueText(issue, value));
  throw new UsageError(`${name} is no policy: ${[...new Set(issues)].join('; ')}`);
}

function issueText(issue: z.core.$ZodIssue, whole: unknown): string {
  const path = issue.path.reduce<string>(
    (text, key) =>
      typeof key === 'number'
        ? `${text}[${key}]`
        : text === ''
          ? String(key)
          : `${text}.${String(key)}`,
    '',
  );
  const where = path === '' ? 'the document' : path;
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => `'${key}'`).join(', ');
    return `${where} has ${keys}, which no policy has: see 'earshot audit --schema'`;
  }
  const value = issue.path.reduce<unknown>(
    (inside, key) => (inside as Record<PropertyKey, unknown> | undefined)?.[key],
    whole,
  );
  if (value === undefined) return `${where} is missing`;
  // What a union refused is said by the member that came closest.
  const own = /^(is|has) /.test(issue.message);
  return own
    ? `${where} ${shown(value)} ${issue.message}`
    : `${where} ${shown(value)}: ${issue.message}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
