import { access, readFile } from 'node:fs/promises';
import { audit as auditOf, type Finding } from '../audit/findings.js';
import { parsePolicy, policyJsonSchema } from '../audit/policy.js';
import { sarifOf } from '../audit/sarif.js';
import { policyOf } from '../audit/write.js';
import type { Answer, Context } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { auditText, findingWords } from '../render/audit.js';
import { jsonDocument } from '../render/printable.js';
import { hostName } from '../render/rows.js';
import { count } from '../render/text.js';
import { obtainState, type StateOptions } from '../state-source.js';
import { UsageError } from '../usage-error.js';
import { writeWhole } from '../write-whole.js';

export interface AuditOptions extends StateOptions {
  json?: boolean;
  sarif?: boolean;
  narrower?: boolean;
  write?: boolean;
  schema?: boolean;
}

/** `earshot audit`: is the host open as its policy has it, and no wider? */
export async function audit(
  path: string | undefined,
  options: AuditOptions,
  context: Context,
): Promise<Answer> {
  if (options.schema) return { text: jsonDocument(policyJsonSchema()), status: ExitStatus.yes };
  if (path === undefined) {
    throw new UsageError("audit needs a policy: 'earshot audit --write FILE' makes one of what is");
  }
  if (path === '') throw new UsageError('the policy is empty: name its file');
  if (options.write) return write(path, options, context);
  if (options.json && options.sarif) {
    throw new UsageError('--json and --sarif exclude each other: there is one document');
  }
  if (path === '-' && options.state === '-') {
    throw new UsageError('the policy and --state are both -: standard input is one of them');
  }
  // A policy with a fault is refused before the host is looked at.
  const name = path === '-' ? 'standard input' : path;
  const text = path === '-' ? await context.readInput() : await readPolicy(path);
  const policy = parsePolicy(text, name);
  const state = await obtainState(options, context);
  const exposures = await context.services.exposure(state);
  const narrower = options.narrower === true;
  const findings = auditOf(state, exposures, policy, { narrower });
  const status = statusOf(findings);
  const reasonFor = await context.services.reasons();
  if (options.json) return { text: jsonDocument({ policy: name, findings }), status };
  if (options.sarif) {
    const words = (finding: Finding) => findingWords(finding, state, reasonFor);
    return { text: jsonDocument(sarifOf(findings, name, hostName(state), words)), status };
  }
  return {
    text: auditText({ state, name, policy, findings, narrower, reasonFor }, context.view),
    status,
  };
}

function statusOf(findings: readonly Finding[]): ExitStatus {
  if (findings.some(({ kind }) => kind !== 'unknown')) return ExitStatus.no;
  return findings.length > 0 ? ExitStatus.unknown : ExitStatus.yes;
}

async function write(path: string, options: AuditOptions, context: Context): Promise<Answer> {
  for (const [name, set] of Object.entries({
    '--sarif': options.sarif,
    '--narrower': options.narrower,
  })) {
    if (set)
      throw new UsageError(`${name} and --write exclude each other: a new policy has no findings`);
  }
  // What people have written is theirs.
  const exists =
    path !== '-' &&
    (await access(path).then(
      () => true,
      () => false,
    ));
  if (exists)
    throw new UsageError(`there is a file '${path}' already: name another, or - to print it`);
  const state = await obtainState(options, context);
  const exposures = await context.services.exposure(state);
  const text = jsonDocument(policyOf(state, exposures));
  const unsure = exposures.filter(({ unknown }) => unknown.length > 0);
  const notes =
    unsure.length === 0
      ? {}
      : {
          notes: `The policy lets in who surely gets in; of ${count(unsure.length, 'listener')} some peers are unknown, and are left out.\n`,
        };
  if (path === '-') return { text, ...notes, status: ExitStatus.yes };
  await writeWhole(path, text, 'the policy', 0o644);
  return { text: '', ...notes, status: ExitStatus.yes };
}

async function readPolicy(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(
      `cannot read the policy '${path}': ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? "there is no such file; 'earshot audit --write FILE' makes one" : `${(error as NodeJS.ErrnoException).code}`}`,
    );
  }
}
