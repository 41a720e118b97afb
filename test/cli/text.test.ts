import test from 'ava';
import stringWidth from 'string-width';
import { sideBySide } from '#earshot/cli/render/fields.js';
import { jsonDocument, printable } from '#earshot/cli/render/printable.js';
import { table } from '#earshot/cli/render/table.js';
import { enumerate, fold, shorten, widthOf } from '#earshot/cli/render/text.js';

test('wide characters take two columns, combining ones none', (t) => {
  t.is(widthOf('node'), 4);
  t.is(widthOf('端口'), 4);
  t.is(widthOf('e\u0301'), 1);
});

test('the signs that are drawn take one column each, as string-width has it', (t) => {
  for (const sign of '·→│►●◐◔◕✓✗…') {
    t.is(widthOf(sign), 1);
    t.is(stringWidth(sign), 1);
  }
});

test('a text is cut at a column, not inside a character', (t) => {
  t.is(shorten('node server.js', 20), 'node server.js');
  t.is(shorten('node server.js', 8), 'node se…');
  t.is(shorten('端口端口', 6), '端口…');
  t.true(widthOf(shorten('👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 5)) <= 5);
});

test('what would act on a terminal is shown instead', (t) => {
  t.is(printable('a\u001b[31mb\u009b\n\u2066'), 'a\\x1b[31mb\\x9b\\n\\u{2066}');
  t.is(printable('häuser 端口'), 'häuser 端口');
});

test('JSON carries no control character either', (t) => {
  const text = jsonDocument({ name: 'a\u001b\u009b\u007f' });
  t.notRegex(text, /[^\n\P{Cc}]/u);
  t.deepEqual(JSON.parse(text), { name: 'a\u001b\u009b\u007f' });
});

test('a list that is too long is counted', (t) => {
  t.is(enumerate([]), '');
  t.is(enumerate(['a']), 'a');
  t.is(enumerate(['a', 'b', 'c']), 'a, b and c');
  t.is(enumerate(['a', 'b', 'c'], 2), 'a, b and 1 more');
});

test('a word that is longer than a line is broken', (t) => {
  t.deepEqual(fold('ab cdefgh', 4), ['ab', 'cdef', 'gh']);
});

test('a table that is too wide folds its cells; what is aligned stays aligned', (t) => {
  const columns = [
    { header: 'A', least: 2 },
    { header: 'B', least: 4 },
  ];
  const rows = [
    [{ text: '端口' }, { text: 'one two three' }],
    [{ text: 'x' }, { text: 'y\nz' }],
  ];
  t.deepEqual(table(columns, rows, 12), [
    'A     B',
    '端口  one',
    '      two',
    '      three',
    'x     y',
    '      z',
  ]);
});

test('two columns side by side keep to the width', (t) => {
  const pairs = [{ left: 'left', right: ['a long text that folds'] }];
  t.deepEqual(sideBySide(pairs, 20, ' '), [' left  a long text', '       that folds']);
});
