import type { HostState, Missing, MissingPart } from '../../model/host-state.js';
import { sentence } from './causes.js';
import { enumerate, paragraph } from './text.js';
import { palette, type View } from './view.js';

/**
 * What a state lacks, and what would help, or '' where it lacks nothing. All that only a privilege
 * is missing for is one sentence; the particulars are in the JSON.
 */
export function missingText(state: HostState, view: View): string {
  const colours = palette(view);
  const refused = state.missing.filter(needsPrivilege);
  const others = state.missing.filter((missing) => !needsPrivilege(missing));
  const notes = others.map(({ reason, remedy }) =>
    remedy === '' ? sentence(reason) : `${sentence(reason)} ${sentence(remedy)}`,
  );
  if (refused.length > 0) {
    const parts = [...new Set(refused.map(({ what }) => partNames[what]))];
    notes.unshift(`This user may not read ${enumerate(parts)}. Run with sudo to see more.`);
  }
  return [...new Set(notes)]
    .map((note) =>
      paragraph(note, view.width, 'Note: ').split('\n').map(colours.unknown).join('\n'),
    )
    .join('\n');
}

function needsPrivilege({ remedy }: Missing): boolean {
  return /^run as root\b/.test(remedy);
}

const partNames: Readonly<Record<MissingPart, string>> = {
  sockets: 'the sockets',
  owners: 'which processes hold some sockets',
  marks: 'the marks of sockets',
  interfaces: 'the interfaces',
  routes: 'the routes',
  rules: 'the policy rules',
  settings: 'all network settings',
  nftables: 'the nftables rules',
  'legacy-tables': 'the iptables rules',
  ipsets: 'the sets of ipset',
  programs: 'the programs on interfaces',
  ipv6: 'the IPv6 configuration',
  consistency: 'a consistent state',
};
