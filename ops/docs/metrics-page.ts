/**
 * Owns docs/metrics.md: the coordinator's catalogue of metrics as tables.
 * Never adds a metric or a word about one: what a reader must know stands in the catalogue.
 */
import { metricGroups } from '../../coordinator/metrics/catalogue.ts';
import { type MetricDeclaration, unitOf } from '../../coordinator/metrics/declaration.ts';
import { notice, table } from './markdown.ts';

function toRow(name: string, { type, tells, labels }: MetricDeclaration): string[] {
  const said = Object.entries(labels).map(([label, says]) => `\`${label}\`: ${says}`);
  const kind = type === 'read-counter' ? 'counter' : type;
  return [`\`${name}\``, kind, unitOf(name), said.length === 0 ? 'none' : said.join('<br>'), tells];
}

/** The text of docs/metrics.md. */
export function toMetricsPage(): string {
  return [
    notice('coordinator/metrics/catalogue.ts'),
    '# Metrics',
    '',
    'What `GET /metrics` of a coordinator has, in the Prometheus text format; how to look at it, and alerts, are in [observability.md](observability.md).',
    'A coordinator tells what it sees itself: of several that share a database, each tells of its own requests and agents, and sums are over all.',
    'A histogram has `_bucket`, `_sum` and `_count`. A metric with labels has a series once something has happened.',
    '',
    ...metricGroups.flatMap(({ title, metrics }) => [
      `## ${title}`,
      '',
      table(
        ['metric', 'type', 'unit', 'labels', 'tells'],
        Object.entries(metrics).map(([name, declaration]) => toRow(name, declaration)),
      ),
      '',
    ]),
  ].join('\n');
}
