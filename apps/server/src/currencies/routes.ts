import * as contract from '@calculaud/contract/currencies';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as currencies from './service.ts';

export function currenciesRoutes(router: Router, services: Services): void {
  router.handle(contract.listCurrencies, async ({ query }) => ({
    json: await currencies.listCurrencies(services, query),
  }));
  router.handle(contract.createCurrency, async ({ body }, context) => ({
    json: await currencies.createCurrency(services, context, body),
  }));
  router.handle(contract.updateCurrency, async ({ params, body }, context) => ({
    json: await currencies.updateCurrency(services, context, params.code, body),
  }));
  router.handle(contract.listExchangeRates, async ({ query }) => ({
    json: await currencies.listRates(services, query),
  }));
  router.handle(contract.createExchangeRate, async ({ body }, context) => ({
    json: await currencies.createRate(services, context, body),
  }));
  router.handle(contract.updateExchangeRate, async ({ params, body }, context) => ({
    json: await currencies.updateRate(services, context, params.rate_id, body),
  }));
}
