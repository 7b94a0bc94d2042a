/**
 * Owns the list of generated documents: path to the function that writes its text from the declarations.
 * Never reads the documents themselves. test/house/documents.test.ts compares, `make docs` writes.
 */
import { toDashboard } from '../grafana/dashboard.ts';
import { toConfigurationPage } from './configuration-page.ts';
import { toErrorsPage } from './errors-page.ts';
import { toHttpApiPage } from './http-api-page.ts';
import { toLifecyclesPage } from './lifecycles-page.ts';
import { toMetricsPage } from './metrics-page.ts';
import { toPreflightPage } from './preflight-page.ts';
import { toProtocolPage } from './protocol-page.ts';
import { toRecipesPage } from './recipes-page.ts';

/** Every generated document. */
export const generators: Readonly<Record<string, () => string>> = {
  'docs/configuration.md': toConfigurationPage,
  'docs/errors.md': toErrorsPage,
  'docs/http-api.md': toHttpApiPage,
  'docs/lifecycles.md': toLifecyclesPage,
  'docs/list-of-recipes.md': toRecipesPage,
  'docs/metrics.md': toMetricsPage,
  'docs/preflight.md': toPreflightPage,
  'docs/protocol.md': toProtocolPage,
  'ops/grafana/dashboard.json': toDashboard,
};
