/**
 * Owns the proof that dashboard and alerts ask for what there is: every metric and label that they name is in the catalogue, whose names follow
 * Prometheus' conventions. Never loads them into Prometheus: test/integration does.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { metricCatalogue } from '../../coordinator/metrics/catalogue.ts';
import { unitOf } from '../../coordinator/metrics/declaration.ts';
import { dashboardQuestions } from '../../ops/grafana/dashboard.ts';
import { metricOf, namesAskedFor } from '../support/scraped-names.ts';

const alerts = readFileSync(join(import.meta.dirname, '../../ops/prometheus/alerts.yml'), 'utf8');
/** What Prometheus itself adds to every series. */
const added = ['job', 'instance', 'le', 'quantile'];
const isKnown = (name: string) => name in metricCatalogue;

test('names are of counters that end with total, or say their unit last; each tells a sentence', () => {
  const wrong = Object.entries(metricCatalogue).filter(([name, { type, tells }]) => {
    const isCounter = type === 'counter' || type === 'read-counter';
    const isOfUnit = type !== 'histogram' || unitOf(name) === 'seconds';
    return (
      !/^(envicutor|process|nodejs)_[a-z_]+$/.test(name) ||
      isCounter !== name.endsWith('_total') ||
      !isOfUnit ||
      !tells.endsWith('.')
    );
  });
  assert.deepEqual(wrong, []);
});

test('the dashboard asks for metrics of the catalogue only', () => {
  const asked = dashboardQuestions.flatMap(namesAskedFor);
  assert.ok(asked.length > 30);
  assert.deepEqual(
    asked.filter((series) => !isKnown(metricOf(series, isKnown))),
    [],
  );
});

test('alerts warn by metrics of the catalogue only', () => {
  const asked = namesAskedFor(alerts.replace(/^.*(summary|look):.*$/gm, ''));
  assert.ok(asked.length > 10);
  assert.deepEqual(
    asked.filter((series) => !isKnown(metricOf(series, isKnown))),
    [],
  );
});

test('a label that a question sorts or chooses by is one of the metric', () => {
  const wrong = dashboardQuestions.flatMap((question) => {
    const labels = namesAskedFor(question).flatMap((series) =>
      Object.keys(metricCatalogue[metricOf(series, isKnown)]?.labels ?? {}),
    );
    const sorted = [...question.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(/,\s*/));
    const chosen = [...question.matchAll(/([a-z]+)=~?"/g)].map(([, name = '']) => name);
    return [...sorted, ...chosen]
      .filter((name) => ![...labels, ...added].includes(name))
      .map((name) => `${name}: ${question}`);
  });
  assert.deepEqual(wrong, []);
});
