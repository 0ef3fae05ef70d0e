import * as contract from '@calculaud/contract/catalog';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

let names = 0;
/** A name that no other test uses. */
function unused(label = 'Record'): string {
  names += 1;
  return `${label} ${names}`;
}

/** What the database says. */
async function rows<Row>(query: RawBuilder<Row>): Promise<Row[]> {
  return (await query.execute(app.db)).rows;
}

async function idOf(query: RawBuilder<{ id: number }>): Promise<number> {
  const [row] = await rows(query);
  if (!row) throw new Error('no row was made');
  return row.id;
}

const insertFile = () =>
  idOf(sql`insert into file_attachment (original_filename, s3_key, mime_type, file_size)
    values ('icon "א".svg', ${unused('key')}, 'image/svg+xml', 123) returning id`);
const insertPurpose = () => idOf(sql`insert into purpose (description) values ('p') returning id`);
const insertPurchase = (purposeId: number) =>
  idOf(sql`insert into purchase (purpose_id) values (${purposeId}) returning id`);

async function createSupplier(body: object = {}) {
  return (await app.post('/suppliers/', { name: unused('Supplier'), ...body })).as(contract.suppliers.create);
}
async function createServiceType() {
  return (await app.post('/service-types/', { name: unused('Type') })).as(contract.serviceTypes.create);
}
async function createService(type: { readonly id: number }, name = unused('Service')) {
  return (await app.post('/services/', { name, service_type_id: type.id })).as(contract.services.create);
}
async function createBudgetSource() {
  return (await app.post('/budget-sources/', { name: unused('Budget') })).as(contract.budgetSources.create);
}
async function createAuthority(body: object = {}) {
  return (await app.post('/responsible-authorities/', { name: unused('Authority'), ...body })).as(
    contract.responsibleAuthorities.create,
  );
}
async function createStageType(body: object = {}) {
  return (await app.post('/stage-types/', { name: unused('stage'), display_name: 'Stage', ...body })).as(
    contract.stageTypes.create,
  );
}

/** The six resources, and what a body of each needs beside its name. */
const resources = [
  { endpoints: contract.suppliers, longestName: 100, nullName: 422, rest: async () => ({}) },
  { endpoints: contract.serviceTypes, longestName: 255, nullName: 200, rest: async () => ({}) },
  {
    endpoints: contract.services,
    longestName: 255,
    nullName: 200,
    rest: async () => ({ service_type_id: (await createServiceType()).id }),
  },
  { endpoints: contract.budgetSources, longestName: 255, nullName: 422, rest: async () => ({}) },
  {
    endpoints: contract.responsibleAuthorities,
    longestName: 255,
    nullName: 200,
    rest: async () => ({}),
  },
  {
    endpoints: contract.stageTypes,
    longestName: 255,
    nullName: 200,
    rest: async () => ({ display_name: 'Shown' }),
  },
].map((resource) => ({ ...resource, path: `/${resource.endpoints.name}` }));

describe.each(resources)('$path', ({ path, endpoints, longestName, nullName, rest }) => {
  const create = async (body: object) => (await app.post(path, body)).as(endpoints.create);
  const list = async (query: string) => (await app.get(`${path}/?${query}`)).as(endpoints.list);
  const read = async (id: number) => (await app.get(`${path}/${id}`)).as(endpoints.get);

  test('a record is added, found, renamed and deleted', async () => {
    const body = { name: unused(), ...(await rest()), unknown_member: 1 };
    const added = await create(body);
    expect(added).toMatchObject({ name: body.name });
    expect(await read(added.id)).toEqual(added);
    expect((await list(`search=${body.name}`)).items).toEqual([added]);

    const name = unused();
    const renamed = (await app.patch(`${path}/${added.id}`, { name })).as(endpoints.update);
    expect(renamed).toEqual({ ...added, name });

    const deleted = await app.delete(`${path}/${added.id}`);
    expect([deleted.status, deleted.text]).toEqual([204, '']);
    expect((await list(`search=${name}`)).total).toBe(0);
  });

  test('what is missing is not found', async () => {
    for (const id of [0, -1, 2_000_000_000]) {
      for (const request of [
        app.get(`${path}/${id}`),
        app.patch(`${path}/${id}`, { name: unused() }),
        app.patch(`${path}/${id}`, {}),
        app.delete(`${path}/${id}`),
      ]) {
        const response = await request;
        expect(response.status).toBe(404);
        expect(response.json()).toMatchObject({
          detail: expect.stringMatching(new RegExp(`with ID ${id} not found$`)),
          message: expect.stringMatching(/not found/),
        });
      }
    }
  });

  test('a taken name is a conflict, for a new record and a renamed one; blanks and case count', async () => {
    const body = { name: unused('Taken'), ...(await rest()) };
    await create(body);
    const again = await app.post(path, body);
    expect(again.status).toBe(409);
    expect(again.json()).toMatchObject({ detail: expect.stringContaining(`'${body.name}' already exists`) });

    const other = await create({ ...body, name: ` ${body.name.toLowerCase()}` });
    expect((await app.patch(`${path}/${other.id}`, { name: body.name })).status).toBe(409);
    expect(await read(other.id)).toEqual(other);
    expect((await app.patch(`${path}/${other.id}`, { name: other.name })).status).toBe(200);
  });

  test('of 50 requests at once for one name one wins', async () => {
    const body = { name: unused('Contended'), ...(await rest()) };
    const responses = await Promise.all(Array.from({ length: 50 }, () => app.post(path, body)));
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(responses.filter(({ status }) => status === 409)).toHaveLength(49);
    expect((await list(`search=${body.name}`)).total).toBe(1);
  });

  test('a patch with nothing in it leaves no trace', async () => {
    const added = await create({ name: unused(), ...(await rest()) });
    const table = endpoints.name.replace(/-/g, '_').replace(/ies$/, 'y').replace(/s$/, '');
    const trace = async () =>
      await rows(
        sql`select *, (select count(*) from audit_entry where entity = ${table}) from ${sql.table(table)} where id = ${added.id}`,
      );
    const before = await trace();
    expect(before).toHaveLength(1);
    for (const body of [{}, { unknown_member: 1 }, { name: added.name }]) {
      expect((await app.patch(`${path}/${added.id}`, body)).as(endpoints.update)).toEqual(added);
    }
    expect(await trace()).toEqual(before);
  });

  test(`a null name is refused in a new record, and ${nullName === 200 ? 'ignored' : 'refused'} in a patch`, async () => {
    const body = { name: unused(), ...(await rest()) };
    const added = await create(body);
    expect((await app.post(path, { ...body, name: null })).status).toBe(422);
    expect((await app.patch(`${path}/${added.id}`, { name: null })).status).toBe(nullName);
    expect(await read(added.id)).toEqual(added);
  });

  test('names are text of limited length', async () => {
    const others = await rest();
    const refused = async (name: unknown, type: string) => {
      for (const response of [
        await app.post(path, { ...others, name }),
        await app.patch(`${path}/${longest.id}`, { name }),
      ]) {
        expect(response.status).toBe(422);
        expect(response.json()).toMatchObject({ detail: [{ loc: ['body', 'name'], type }] });
      }
    };
    // Characters count, not bytes or UTF-16 units.
    const start = unused('');
    const longest = await create({ ...others, name: `${start}${'😀'.repeat(longestName - start.length)}` });
    expect(Array.from(longest.name)).toHaveLength(longestName);
    await refused('x'.repeat(longestName + 1), 'string_too_long');
    await refused('', 'string_too_short');
    await refused(5, 'string_type');
    await refused('a\u0000b', 'string_unicode');
    const missing = await app.post(path, others);
    expect(missing.json()).toMatchObject({ detail: [{ loc: ['body', 'name'], type: 'missing' }] });
    expect((await app.post(path, '[]')).status).toBe(422);
    expect((await app.post(path, '{"name":')).status).toBe(422);
  });

  test('the list is by name in pages, and a search has no wildcards', async () => {
    const label = unused('Page');
    const others = await rest();
    for (const suffix of ['b', 'a', 'c %_\\']) {
      await create({ ...others, name: `${label} ${suffix}` });
    }
    const search = (text: string, query = '') => list(`search=${encodeURIComponent(text)}${query}`);
    const namesOf = (page: { items: { name: string }[] }) => page.items.map(({ name }) => name);
    expect(namesOf(await search(label.toUpperCase()))).toEqual(
      ['a', 'b', 'c %_\\'].map((suffix) => `${label} ${suffix}`),
    );
    expect(await search(label, '&limit=2&page=2')).toMatchObject({
      items: [{ name: `${label} c %_\\` }],
      total: 3,
      page: 2,
      limit: 2,
      pages: 2,
      has_next: false,
      has_prev: true,
    });
    expect(namesOf(await search(`${label} c %_\\`))).toHaveLength(1);
    expect(namesOf(await search(label.replace(' ', '_')))).toEqual([]);
    expect(namesOf(await search(`${label} %`))).toEqual([]);
    expect((await search('')).total).toBe((await list('')).total);
    expect(await list('page=2147483647&limit=200')).toMatchObject({
      items: [],
      has_prev: true,
      has_next: false,
    });
    for (const query of ['limit=201', 'limit=0', 'page=0', 'page=x', 'search=%00']) {
      expect((await app.get(`${path}?${query}`)).status).toBe(422);
    }
  });

  test('readers may read and not write', async () => {
    const user = { role: 'user' } as const;
    const { id } = await create({ name: unused(), ...(await rest()) });
    expect((await app.get(path, user)).status).toBe(200);
    expect((await app.get(`${path}/${id}`, user)).status).toBe(200);
    expect((await app.post(path, { name: 5 }, user)).status).toBe(403);
    expect((await app.patch(`${path}/${id}`, {}, user)).status).toBe(403);
    expect((await app.delete(`${path}/${id}`, user)).status).toBe(403);
    expect((await app.get(path, { role: null })).status).toBe(401);
  });
});

describe('a supplier', () => {
  test('shows its icon with a link, and loses it when the icon is null', async () => {
    const file_icon_id = await insertFile();
    const added = await createSupplier({ file_icon_id: `${file_icon_id}` });
    expect(added.file_icon).toMatchObject({
      id: file_icon_id,
      file_id: file_icon_id,
      original_filename: 'icon "א".svg',
      mime_type: 'image/svg+xml',
      file_size: 123,
      file_url: expect.stringContaining(`/api/v1/files/${file_icon_id}/`),
    });
    const listed = (await app.get(`/suppliers?search=${added.name}`)).as(contract.suppliers.list);
    expect(listed.items).toEqual([added]);

    const renamed = (await app.patch(`/suppliers/${added.id}`, { name: unused() })).as(
      contract.suppliers.update,
    );
    expect(renamed.file_icon_id).toBe(file_icon_id);
    const cleared = await app.patch(`/suppliers/${added.id}`, { file_icon_id: null });
    expect(cleared.as(contract.suppliers.update)).toMatchObject({ file_icon_id: null, file_icon: null });
    expect(await createSupplier({ file_icon_id: null })).toMatchObject({ file_icon: null });
  });

  test.each([0, 2_000_000_000])('with an unknown icon (%d) is refused', async (file_icon_id) => {
    const { id } = await createSupplier();
    for (const response of [
      await app.post('/suppliers/', { name: unused(), file_icon_id }),
      await app.patch(`/suppliers/${id}`, { file_icon_id }),
    ]) {
      expect(response.status).toBe(400);
      expect(response.json()).toMatchObject({ detail: `File with ID ${file_icon_id} not found` });
    }
  });

  test('that purposes use stays, and says how many', async () => {
    const { id } = await createSupplier();
    await sql`update purpose set supplier_id = ${id} where id = any(${[await insertPurpose(), await insertPurpose(), await insertPurpose()]})`.execute(
      app.db,
    );
    const response = await app.delete(`/suppliers/${id}`);
    expect(response.status).toBe(409);
    expect(response.json()).toMatchObject({ detail: expect.stringContaining('used by 3 purposes') });
    expect((await app.get(`/suppliers/${id}`)).status).toBe(200);
  });
});

describe('a service type', () => {
  test('takes its services with it', async () => {
    const type = await createServiceType();
    const service = await createService(type);
    expect((await app.delete(`/service-types/${type.id}`)).status).toBe(204);
    expect((await app.get(`/services/${service.id}`)).status).toBe(404);
  });

  test('that purposes have, or whose services they ask for, stays with its services; each purpose counts once', async () => {
    const type = await createServiceType();
    const services = [await createService(type), await createService(type)];
    const [both, typeOnly, contentOnly] = [
      await insertPurpose(),
      await insertPurpose(),
      await insertPurpose(),
    ];
    await sql`update purpose set service_type_id = ${type.id} where id in (${both}, ${typeOnly})`.execute(
      app.db,
    );
    for (const { id } of services) {
      await sql`insert into purpose_content (purpose_id, service_id, quantity)
        values (${both}, ${id}, 1), (${contentOnly}, ${id}, 1)`.execute(app.db);
    }
    const response = await app.delete(`/service-types/${type.id}`);
    expect(response.status).toBe(409);
    expect(response.json()).toMatchObject({ detail: expect.stringContaining('used by 3 purposes') });
    for (const { id } of services) {
      expect((await app.get(`/services/${id}`)).status).toBe(200);
    }
  });
});

describe('a service', () => {
  test('is listed by type', async () => {
    const [one, other] = [await createServiceType(), await createServiceType()];
    const service = await createService(one);
    await createService(other);
    const ofType = async (id: number | string) =>
      (await app.get(`/services?service_type_id=${id}`)).as(contract.services.list);
    expect(await ofType(one.id)).toMatchObject({ items: [service], total: 1 });
    expect(await ofType(0)).toMatchObject({ items: [], total: 0, pages: 0 });
    expect((await app.get('/services?service_type_id=x')).status).toBe(422);
    // Other catalogues do not know the filter.
    expect((await app.get('/budget-sources?service_type_id=x')).status).toBe(200);
  });

  test('may share its name with one of another type, and cannot move beside its namesake', async () => {
    const [one, other] = [await createServiceType(), await createServiceType()];
    const service = await createService(one);
    const namesake = await createService(other, service.name);
    const moved = await app.patch(`/services/${namesake.id}`, { service_type_id: one.id });
    expect(moved.status).toBe(409);
    expect(moved.json()).toMatchObject({ detail: expect.stringContaining('already exists') });
    const free = await app.patch(`/services/${namesake.id}`, { service_type_id: one.id, name: unused() });
    expect(free.as(contract.services.update).service_type_id).toBe(one.id);
  });

  test('of an unknown type is refused; a null type in a patch is ignored', async () => {
    const service = await createService(await createServiceType());
    for (const response of [
      await app.post('/services/', { name: unused(), service_type_id: 2_000_000_000 }),
      await app.patch(`/services/${service.id}`, { service_type_id: 2_000_000_000 }),
    ]) {
      expect(response.status).toBe(400);
      expect(response.json()).toMatchObject({ detail: 'Service type with ID 2000000000 not found' });
    }
    const unchanged = await app.patch(`/services/${service.id}`, { service_type_id: null, name: null });
    expect(unchanged.as(contract.services.update)).toEqual(service);
    for (const body of [{ name: 'x' }, { name: 'x', service_type_id: null }]) {
      expect((await app.post('/services/', body)).json()).toMatchObject({
        detail: [{ loc: ['body', 'service_type_id'] }],
      });
    }
  });

  test('that purposes ask for stays, and says how many', async () => {
    const { id } = await createService(await createServiceType());
    await sql`insert into purpose_content (purpose_id, service_id, quantity) values (${await insertPurpose()}, ${id}, 2)`.execute(
      app.db,
    );
    const response = await app.delete(`/services/${id}`);
    expect(response.status).toBe(409);
    expect(response.json()).toMatchObject({ detail: expect.stringMatching(/used by 1 purpose$/) });
  });
});

describe('a budget source', () => {
  test('that is deleted leaves its purchases without one, and their purposes touched', async () => {
    const [{ id }, other] = [await createBudgetSource(), await createBudgetSource()];
    const [user, bystander] = [await insertPurpose(), await insertPurpose()];
    const [first, second] = [await insertPurchase(user), await insertPurchase(user)];
    await sql`update purchase set budget_source_id = ${id} where id in (${first}, ${second})`.execute(app.db);
    await sql`update purchase set budget_source_id = ${other.id} where id = ${await insertPurchase(bystander)}`.execute(
      app.db,
    );
    const state = async (purpose: number) => {
      const [row] = await rows(sql<{ version: number; touched: number }>`
        select version, extract(epoch from last_modified)::float8 as touched from purpose where id = ${purpose}`);
      return row ?? { version: Number.NaN, touched: Number.NaN };
    };
    const [before, bystanderBefore] = [await state(user), await state(bystander)];

    expect((await app.delete(`/budget-sources/${id}`)).status).toBe(204);

    const left = await rows(sql`select budget_source_id from purchase where purpose_id = ${user}`);
    expect(left).toEqual([{ budget_source_id: null }, { budget_source_id: null }]);
    const after = await state(user);
    expect(after.touched).toBeGreaterThan(before.touched);
    expect(after.version).toBeGreaterThan(before.version);
    expect(await state(bystander)).toEqual(bystanderBefore);
  });
});

describe('a responsible authority', () => {
  test('has a description that null clears', async () => {
    const added = await createAuthority({ description: 'Acts' });
    expect(added.description).toBe('Acts');
    const change = async (body: object) =>
      (await app.patch(`/responsible-authorities/${added.id}`, body)).as(
        contract.responsibleAuthorities.update,
      );
    expect((await change({ name: unused() })).description).toBe('Acts');
    expect((await change({ description: null })).description).toBeNull();
    expect((await change({ description: '' })).description).toBe('');
    expect(await createAuthority({ description: null })).toMatchObject({ description: null });
    expect((await app.patch(`/responsible-authorities/${added.id}`, { description: 5 })).status).toBe(422);
  });

  test('that is deleted leaves its stage types without one, and purposes wait for the next', async () => {
    const [first, second] = [await createAuthority(), await createAuthority()];
    const [one, two] = [
      await createStageType({ responsible_authority_id: first.id }),
      await createStageType({ responsible_authority_id: second.id }),
    ];
    const purpose = await insertPurpose();
    const purchase = await insertPurchase(purpose);
    await sql`insert into stage (stage_type_id, purchase_id, priority)
      values (${one.id}, ${purchase}, 1), (${two.id}, ${purchase}, 2)`.execute(app.db);
    const state = async () =>
      (
        await rows(
          sql<object>`select version, last_modified, pending_authority_id from purpose where id = ${purpose}`,
        )
      )[0];
    const before = await state();
    expect(before).toMatchObject({ pending_authority_id: first.id });

    expect((await app.delete(`/responsible-authorities/${first.id}`)).status).toBe(204);

    const type = (await app.get(`/stage-types/${one.id}`)).as(contract.stageTypes.get);
    expect(type).toMatchObject({ responsible_authority_id: null, responsible_authority: null });
    expect(await state()).toEqual({ ...before, pending_authority_id: second.id });
  });
});

describe('a stage type', () => {
  test('has its defaults, and nests its authority', async () => {
    const plain = await createStageType();
    expect(plain).toMatchObject({
      display_name: 'Stage',
      description: null,
      value_required: false,
      is_optional: false,
      responsible_authority_id: null,
      responsible_authority: null,
    });
    const authority = await createAuthority();
    const full = await createStageType({
      description: 'd',
      value_required: 'yes',
      is_optional: 1,
      responsible_authority_id: `${authority.id}`,
    });
    expect(full).toMatchObject({
      description: 'd',
      value_required: true,
      is_optional: true,
      responsible_authority_id: authority.id,
      responsible_authority: authority,
    });
    expect((await app.get(`/stage-types/?search=${full.name}`)).as(contract.stageTypes.list).items).toEqual([
      full,
    ]);
  });

  test('may have its own days after which a purpose is flagged', async () => {
    const patient = await createStageType({ auto_flag_days: '30' });
    expect(patient.auto_flag_days).toBe(30);
    const change = (auto_flag_days: unknown) => app.patch(`/stage-types/${patient.id}`, { auto_flag_days });
    expect((await change(5)).as(contract.stageTypes.update).auto_flag_days).toBe(5);
    expect((await change(null)).as(contract.stageTypes.update).auto_flag_days).toBeNull();
    for (const refused of [0, 3651, 'soon']) expect((await change(refused)).status).toBe(422);
  });

  test('null clears the description and the authority, and is ignored elsewhere', async () => {
    const { id: authorityId } = await createAuthority();
    const added = await createStageType({
      description: 'd',
      value_required: true,
      responsible_authority_id: authorityId,
    });
    const change = async (body: object) =>
      (await app.patch(`/stage-types/${added.id}`, body)).as(contract.stageTypes.update);
    expect(await change({ name: null, display_name: null, value_required: null, is_optional: null })).toEqual(
      added,
    );
    expect(await change({ description: null })).toEqual({ ...added, description: null });
    expect(await change({ responsible_authority_id: null })).toMatchObject({
      responsible_authority_id: null,
      responsible_authority: null,
      value_required: true,
    });
  });

  test('of another authority, or of none, leaves everybody waiting for whom a fresh look would find', async () => {
    const [one, other] = [await createAuthority(), await createAuthority()];
    const [first, second, third] = [
      await createStageType({ responsible_authority_id: one.id }),
      await createStageType({ responsible_authority_id: other.id }),
      await createStageType(),
    ];
    // Nothing complete, the first level complete, all complete; and a purpose of two purchases.
    const purposes = [await insertPurpose(), await insertPurpose(), await insertPurpose()];
    for (const [purpose, completed] of [0, 1, 2, 0].entries()) {
      const purchase = await insertPurchase(purposes[purpose % 3] ?? 0);
      await sql`insert into stage (stage_type_id, purchase_id, priority, completion_date)
        select t, ${purchase}, p, case when p <= ${completed} then date '2026-01-01' end
        from (values (${first.id}::integer, 1), (${third.id}::integer, 1), (${second.id}::integer, 2)) v (t, p)`.execute(
        app.db,
      );
    }
    const waiting = () =>
      rows(sql`select o.id, o.pending_authority_id as of_purpose, array(
        select p.pending_authority_id from purchase p where p.purpose_id = o.id order by p.id) as of_purchases
        from purpose o where o.id = any(${purposes}) order by o.id`);

    const seen = [await waiting()];
    for (const [type, authority] of [
      [first, null],
      [third, one.id],
      [second, null],
      [third, null],
      [second, one.id],
    ] as const) {
      const changed = await app.patch(`/stage-types/${type.id}`, { responsible_authority_id: authority });
      expect(changed.as(contract.stageTypes.update).responsible_authority_id).toBe(authority);
      const left = await waiting();
      await sql`select refresh_progress(${purposes})`.execute(app.db);
      expect(left).toEqual(await waiting());
      expect(left).not.toEqual(seen.at(-1));
      seen.push(left);
    }
  });

  test('is searched by its technical name only', async () => {
    const display_name = unused('Only shown');
    await createStageType({ display_name });
    expect((await app.get(`/stage-types/?search=${display_name}`)).as(contract.stageTypes.list).total).toBe(
      0,
    );
  });

  test('of an unknown authority is refused', async () => {
    const { id } = await createStageType();
    for (const unknown of [0, 2_000_000_000]) {
      for (const response of [
        await app.post('/stage-types/', {
          name: unused(),
          display_name: 'x',
          responsible_authority_id: unknown,
        }),
        await app.patch(`/stage-types/${id}`, { responsible_authority_id: unknown }),
      ]) {
        expect(response.status).toBe(400);
        expect(response.json()).toMatchObject({
          detail: `Responsible authority with ID ${unknown} not found`,
        });
      }
    }
  });

  test.each([
    { display_name: '' },
    { display_name: 'x'.repeat(256) },
    { value_required: 'maybe' },
    { is_optional: 2 },
    { description: 1 },
    { responsible_authority_id: 1.5 },
  ])('%j is refused', async (body) => {
    const { id } = await createStageType();
    const loc = ['body', Object.keys(body)[0]];
    const refused = { detail: [{ loc }] };
    expect((await app.patch(`/stage-types/${id}`, body)).json()).toMatchObject(refused);
    expect(
      (await app.post('/stage-types', { name: unused(), display_name: 'x', ...body })).json(),
    ).toMatchObject(refused);
  });

  test('needs a display name', async () => {
    for (const body of [{}, { display_name: null }, { display_name: 'x', value_required: null }]) {
      expect((await app.post('/stage-types/', { name: unused(), ...body })).status).toBe(422);
    }
  });

  test('that stages and flows use stays, and says how many of each', async () => {
    const { id } = await createStageType();
    const purchase = await insertPurchase(await insertPurpose());
    const flow = await idOf(
      sql`insert into predefined_flow (flow_name) values (${unused('Flow')}) returning id`,
    );
    await sql`insert into predefined_flow_stage (predefined_flow_id, stage_type_id, priority)
      values (${flow}, ${id}, 1), (${flow}, ${id}, 2)`.execute(app.db);
    const byFlow = await app.delete(`/stage-types/${id}`);
    expect(byFlow.status).toBe(409);
    expect(byFlow.json()).toMatchObject({ detail: expect.stringMatching(/used by 1 predefined flow$/) });

    await sql`insert into stage (stage_type_id, purchase_id, priority) values (${id}, ${purchase}, 1), (${id}, ${purchase}, 2)`.execute(
      app.db,
    );
    const byBoth = await app.delete(`/stage-types/${id}`);
    expect(byBoth.json()).toMatchObject({
      detail: expect.stringMatching(/used by 2 stages and 1 predefined flow$/),
      message: expect.stringContaining('2 stages'),
    });
  });
});

describe('a delete at the same time as the first use', () => {
  test('never ends in a failure: the use or the delete wins', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await createAuthority();
      const [type, removed] = await Promise.all([
        app.post('/stage-types/', { name: unused(), display_name: 'x', responsible_authority_id: id }),
        app.delete(`/responsible-authorities/${id}`),
      ]);
      expect([201, 400]).toContain(type.status);
      expect(removed.status).toBe(204);
      const serviceType = await createServiceType();
      const [service, gone] = await Promise.all([
        app.post('/services/', { name: unused(), service_type_id: serviceType.id }),
        app.delete(`/service-types/${serviceType.id}`),
      ]);
      expect([201, 400]).toContain(service.status);
      expect(gone.status).toBe(204);
    }
  });
});
