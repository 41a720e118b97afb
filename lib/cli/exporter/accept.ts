import type { Form } from './page.js';

const OPEN_METRICS = 'application/openmetrics-text';
/** Of the version that is served, or of none in particular. */
const VERSIONS = ['', '1.0.0'];

/** The form that an Accept header prefers; text for who does not know OpenMetrics (RFC 9110, 12.5.1). */
export function formFor(accept: string): Form {
  let openMetrics = 0;
  let text = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const value = (name: string) =>
      parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    const quality = value('q') === '' ? 1 : Number(value('q'));
    if (!(quality > 0)) continue;
    if (type === OPEN_METRICS && VERSIONS.includes(value('version').replaceAll('"', ''))) {
      openMetrics = Math.max(openMetrics, quality);
    } else if (type === 'text/plain') text = Math.max(text, quality);
  }
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'text';
}
