import test from 'ava';
import { ChangeCounts } from '#earshot/cli/exporter/change-counts.js';
import type { Exposure } from '#earshot/reach/exposure-row.js';
import { exposed, gone, listener } from './support.js';

const socket = listener(3000);
const before = exposed(socket, 'link', ['192.0.2.0/25']);

function counted(exposure: Exposure, was: Exposure | null) {
  const counts = new ChangeCounts();
  counts.count({ exposure, was });
  const more = (map: Map<string, number>) => [...map].filter(([, count]) => count > 0).map(String);
  return {
    changes: [...counts.changes.values()]
      .filter(({ count }) => count > 0)
      .map(({ was, scope, count }) => `${was}-${scope} ${count}`),
    widened: more(counts.widened),
    narrowed: more(counts.narrowed),
  };
}

test('every count is there, as zero, before anything has changed', (t) => {
  const { changes, widened, narrowed } = new ChangeCounts();
  t.is(changes.size, 30);
  t.is(widened.size, 5);
  t.is(narrowed.size, 5);
  t.true([...changes.values()].every(({ count }) => count === 0));
});

test('somebody new of the same distance is a change that widens', (t) => {
  t.deepEqual(counted(exposed(socket, 'link', ['192.0.2.0/24']), before), {
    changes: ['link-link 1'],
    widened: ['link,1'],
    narrowed: [],
  });
});

test('somebody less of the same distance is a change that narrows', (t) => {
  t.deepEqual(counted(exposed(socket, 'link', ['192.0.2.0/26']), before), {
    changes: ['link-link 1'],
    widened: [],
    narrowed: ['link,1'],
  });
});

test('others instead of these do both, by the scope that is and the one that was', (t) => {
  t.deepEqual(counted(exposed(socket, 'routed', ['198.51.100.0/24', '2001:db8::/32']), before), {
    changes: ['link-routed 1'],
    widened: ['routed,1'],
    narrowed: ['link,1'],
  });
});

test('the same peers cut otherwise neither widen nor narrow', (t) => {
  t.deepEqual(counted(exposed(socket, 'link', ['192.0.2.0/26', '192.0.2.64/26']), before), {
    changes: ['link-link 1'],
    widened: [],
    narrowed: [],
  });
});

test('a new listener widens, one that has gone narrows', (t) => {
  t.deepEqual(counted(before, null), {
    changes: ['none-link 1'],
    widened: ['link,1'],
    narrowed: [],
  });
  t.deepEqual(counted(gone(before), before), {
    changes: ['link-nobody 1'],
    widened: [],
    narrowed: ['link,1'],
  });
});
