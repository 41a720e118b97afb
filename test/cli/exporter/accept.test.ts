import test from 'ava';
import { formFor } from '#earshot/cli/exporter/accept.js';

const cases: [who: string, accept: string, form: 'openmetrics' | 'text'][] = [
  ['nobody in particular', '', 'text'],
  ['curl', '*/*', 'text'],
  [
    'Prometheus 2.42',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  [
    'Prometheus 3, which would rather have UTF-8 names',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    'openmetrics',
  ],
  ['who refuses OpenMetrics', 'application/openmetrics-text;q=0, text/plain', 'text'],
  ['who knows an older OpenMetrics alone', 'application/openmetrics-text; version=0.0.1', 'text'],
  ['who would rather have text', 'application/openmetrics-text;q=0.2,text/plain;q=0.9', 'text'],
  ['who quotes the version', 'Application/OpenMetrics-Text; version="1.0.0"', 'openmetrics'],
  ['who writes no quality', 'application/openmetrics-text;q=high', 'text'],
];

for (const [who, accept, form] of cases) {
  test(`${form} is given to ${who}`, (t) => t.is(formFor(accept), form));
}
