/**
 * Owns the list of what is generated from the declarations, documents and types of the Python client: path to the function that writes its text.
 * Never reads what was generated before. test/house/documents.test.ts compares, `make docs` writes.
 */
import { toDashboard } from '../grafana/dashboard.ts';
import { toCliPage } from './cli-page.ts';
import { toConfigurationPage } from './configuration-page.ts';
import { toErrorsPage } from './errors-page.ts';
import { toHttpApiPage } from './http-api-page.ts';
import { toLifecyclesPage } from './lifecycles-page.ts';
import { toManualPage } from './manual-page.ts';
import { toMetricsPage } from './metrics-page.ts';
import { toPreflightPage } from './preflight-page.ts';
import { toProtocolPage } from './protocol-page.ts';
import { pythonGenerators } from './python-models.ts';
import { toRecipesPage } from './recipes-page.ts';

/** Every generated document. */
export const generators: Readonly<Record<string, () => string>> = {
  'docs/cli.md': toCliPage,
  'docs/configuration.md': toConfigurationPage,
  'docs/errors.md': toErrorsPage,
  'docs/http-api.md': toHttpApiPage,
  'docs/lifecycles.md': toLifecyclesPage,
  'docs/list-of-recipes.md': toRecipesPage,
  'docs/metrics.md': toMetricsPage,
  'docs/preflight.md': toPreflightPage,
  'docs/protocol.md': toProtocolPage,
  'man/envicutor.1': toManualPage,
  'ops/grafana/dashboard.json': toDashboard,
  ...pythonGenerators,
};
