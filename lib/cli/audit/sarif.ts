import { createHash } from 'node:crypto';
import type { Log, ReportingDescriptor, Result } from 'sarif';
import { packageVersion } from '../version.js';
import type { Finding } from './findings.js';

/*
 * Findings in the form that code hosts take from analysers (SARIF 2.1.0). A finding is of the policy:
 * its place is that file, and what it is about (HOST/tcp/5432) is named beside it.
 */

const kinds: Record<Finding['kind'], { level: Result.level; does: string }> = {
  wider: { level: 'error', does: 'Somebody reaches a port whom the policy does not let.' },
  unknown: { level: 'warning', does: 'Whether somebody reaches a port cannot be told.' },
  narrower: { level: 'warning', does: 'Somebody whom the policy lets does not reach a port.' },
};

/** @param words what a finding says, in one sentence */
export function sarifOf(
  findings: readonly Finding[],
  policy: string,
  hostname: string,
  words: (finding: Finding) => string,
): Log {
  const rules: ReportingDescriptor[] = Object.entries(kinds).map(([id, { level, does }]) => ({
    id,
    shortDescription: { text: does },
    defaultConfiguration: { level },
  }));
  const driver = { name: 'earshot', semanticVersion: packageVersion(), rules };
  const results = findings.map((finding): Result => {
    const { kind, protocol, port } = finding;
    const about = `${hostname}/${protocol}/${port}`;
    return {
      ruleId: kind,
      ruleIndex: rules.findIndex(({ id }) => id === kind),
      level: kinds[kind].level,
      message: { text: words(finding) },
      locations: [
        {
          physicalLocation: { artifactLocation: { uri: encodeURI(policy) } },
          logicalLocations: [{ fullyQualifiedName: about, kind: 'resource' }],
        },
      ],
      partialFingerprints: { 'finding/v1': fingerprint(about, finding) },
      properties: {
        interface: finding.interface,
        addresses: finding.addresses,
        peers: finding.peers,
        forwardedTo: finding.forwardedTo,
        cause: finding.cause?.code ?? null,
        rules: finding.rules,
      },
    };
  });
  return {
    version: '2.1.0',
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    runs: [{ tool: { driver }, results }],
  };
}

/** The same finding of the next run is the same, whoever the peers are by then. */
function fingerprint(about: string, { kind, interface: device, addresses }: Finding): string {
  const text = JSON.stringify([about, kind, device, addresses]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
