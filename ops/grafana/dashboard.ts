/**
 * Owns the Grafana dashboard: its rows, panels and questions, from which dashboard.json is generated.
 * Never asks for a metric that the catalogue does not have (a test compares), and names no data source: whoever imports it chooses one.
 */

/** One question, and what its answers are called. */
interface Question {
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  /** A unit as Grafana calls it. */
  readonly unit: 's' | 'short' | 'percentunit' | 'bytes' | 'reqps' | 'Bps';
  readonly questions: readonly Question[];
}

const ask = (expr: string, legend: string): Question => ({ expr, legend });
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;
const quantile = (part: number, metric: string, by = '') =>
  `histogram_quantile(${part}, sum by (le${by === '' ? '' : `, ${by}`}) (rate(${metric}_bucket[$__rate_interval])))`;
const panel = (title: string, unit: Panel['unit'], ...questions: readonly Question[]): Panel => ({
  title,
  unit,
  questions,
});

const rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: 'API',
    panels: [
      panel('Requests', 'reqps', ask(rate('envicutor_http_request_seconds_count', 'route'), '{{route}}')),
      panel(
        'Errors',
        'reqps',
        ask(rate('envicutor_http_request_seconds_count{code=~"5..|429"}', 'route, code'), '{{code}} {{route}}'),
      ),
      panel('Duration, p99', 's', ask(quantile(0.99, 'envicutor_http_request_seconds', 'route'), '{{route}}')),
    ],
  },
  {
    title: 'Executions',
    panels: [
      panel('Ended', 'reqps', ask(rate('envicutor_executions_total', 'stage, verdict'), '{{stage}} {{verdict}}')),
      panel(
        'Request to result',
        's',
        ask(quantile(0.5, 'envicutor_execution_seconds'), 'p50'),
        ask(quantile(0.99, 'envicutor_execution_seconds'), 'p99'),
      ),
      panel('Phases, p99', 's', ask(quantile(0.99, 'envicutor_execution_phase_seconds', 'phase'), '{{phase}}')),
      panel('Ended by a limit', 'reqps', ask(rate('envicutor_sandbox_kills_total', 'limit'), '{{limit}}')),
      panel(
        'Not at the first attempt',
        'reqps',
        ask(rate('envicutor_executions_requeued_total', 'code'), 'requeued, {{code}}'),
        ask(rate('envicutor_execution_retries_total', 'job'), 'retries'),
        ask(rate('envicutor_execution_reruns_total', 'outcome'), 'rerun, {{outcome}}'),
      ),
      panel('Retries that are left', 'short', ask('min(envicutor_retry_budget)', 'budget')),
    ],
  },
  {
    title: 'Queue and tenants',
    panels: [
      panel('Waiting', 'short', ask('sum by (tenant) (envicutor_tenant_queue_depth)', '{{tenant}}')),
      panel(
        'Wait for an agent, p99',
        's',
        ask(quantile(0.99, 'envicutor_tenant_queue_seconds', 'tenant'), '{{tenant}}'),
      ),
      panel('Refused', 'reqps', ask(rate('envicutor_tenant_refused_total', 'tenant, reason'), '{{tenant}} {{reason}}')),
      panel('Dominant share', 'percentunit', ask('sum by (tenant) (envicutor_tenant_dominant_share)', '{{tenant}}')),
      panel('Running', 'short', ask('sum by (tenant) (envicutor_tenant_running)', '{{tenant}}')),
      panel(
        'Queue and leases',
        'short',
        ask('sum(envicutor_queue_depth)', 'waiting'),
        ask('sum(envicutor_leases)', 'leases'),
      ),
    ],
  },
  {
    title: 'Agents, slots, caches',
    panels: [
      panel('Slots', 'short', ask('sum by (pool, state) (envicutor_pool_slots)', '{{pool}} {{state}}')),
      panel('Agents', 'short', ask('sum by (pool, state) (envicutor_pool_agents)', '{{pool}} {{state}}')),
      panel('Connections lost', 'reqps', ask(rate('envicutor_agents_left_total', 'cause'), '{{cause}}')),
      panel(
        'Layers found on agents',
        'percentunit',
        ask(
          `${rate('envicutor_agent_cache_hits_total', 'agent')} / (${rate('envicutor_agent_cache_hits_total', 'agent')} + ${rate('envicutor_agent_cache_misses_total', 'agent')})`,
          '{{agent}}',
        ),
      ),
      panel('Fetched', 'Bps', ask(rate('envicutor_agent_cache_fetched_bytes_total', 'agent'), '{{agent}}')),
      panel('Disk that is free', 'percentunit', ask('min by (agent) (envicutor_agent_disk_free_ratio)', '{{agent}}')),
      panel(
        'Prepared sandboxes',
        'short',
        ask('sum(envicutor_sandbox_stock)', 'there'),
        ask('sum(envicutor_sandbox_stock_wanted)', 'wanted'),
        ask('sum(envicutor_sandbox_running)', 'running'),
        ask('sum(envicutor_sandbox_sweeping)', 'to be swept'),
      ),
    ],
  },
  {
    title: 'Builds and layers',
    panels: [
      panel('Builds', 'reqps', ask(rate('envicutor_build_seconds_count', 'kind, outcome'), '{{kind}} {{outcome}}')),
      panel('Duration of builds, p90', 's', ask(quantile(0.9, 'envicutor_build_seconds', 'kind'), '{{kind}}')),
      panel('Lookups', 'reqps', ask(rate('envicutor_layer_lookups_total', 'outcome'), '{{outcome}}')),
      panel('Age of the trust state', 's', ask('max(envicutor_trust_age_seconds)', 'age')),
    ],
  },
  {
    title: 'The coordinator itself',
    panels: [
      panel('Does it answer?', 'short', ask('envicutor_requirement_met', '{{instance}} {{requirement}}')),
      panel(
        'Event loop',
        'percentunit',
        ask('rate(nodejs_eventloop_active_seconds_total{job="envicutor"}[$__rate_interval])', '{{instance}} busy'),
      ),
      panel('Lag of the event loop', 's', ask('nodejs_eventloop_lag_seconds{job="envicutor"}', '{{instance}}')),
      panel(
        'Processor',
        'percentunit',
        ask('rate(process_cpu_seconds_total{job="envicutor"}[$__rate_interval])', '{{instance}}'),
      ),
      panel('Resident memory', 'bytes', ask('process_resident_memory_bytes{job="envicutor"}', '{{instance}}')),
      panel(
        'Webhooks',
        'reqps',
        ask(rate('envicutor_webhook_attempts_total', 'outcome, state'), '{{outcome}} {{state}}'),
      ),
    ],
  },
];

/** Every question of the dashboard. */
export const dashboardQuestions: readonly string[] = rows.flatMap(({ panels }) =>
  panels.flatMap(({ questions }) => questions.map(({ expr }) => expr)),
);

const COLUMNS = 24;
const PANEL = { width: 8, height: 8 } as const;
const source = { type: 'prometheus', uid: '$' + '{source}' };

function toPanel({ title, unit, questions }: Panel, id: number, x: number, y: number): object {
  return {
    ...{ id, title, type: 'timeseries', datasource: source },
    gridPos: { x, y, w: PANEL.width, h: PANEL.height },
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10 } }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: questions.map(({ expr, legend }, index) => ({
      ...{ refId: String.fromCharCode(65 + index), datasource: source, expr, legendFormat: legend },
    })),
  };
}

/** The text of ops/grafana/dashboard.json. */
export function toDashboard(): string {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: own } of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    const inRow = COLUMNS / PANEL.width;
    for (const [index, each] of own.entries()) {
      const at = { x: (index % inRow) * PANEL.width, y: y + Math.floor(index / inRow) * PANEL.height };
      panels.push(toPanel(each, panels.length + 1, at.x, at.y));
    }
    y += Math.ceil(own.length / inRow) * PANEL.height;
  }
  const dashboard = {
    ...{ uid: 'envicutor', title: 'Envicutor', tags: ['envicutor'], schemaVersion: 38, version: 1, editable: true },
    ...{ refresh: '30s', time: { from: 'now-3h', to: 'now' }, timezone: 'browser' },
    templating: { list: [{ name: 'source', label: 'Source', type: 'datasource', query: 'prometheus', hide: 0 }] },
    annotations: { list: [] },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
