import * as contract from '@calculaud/contract/hierarchies';
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
function unused(label = 'Node'): string {
  names += 1;
  return `${label} ${names}`;
}

/** What the database says. */
async function rows<Row>(query: RawBuilder<Row>): Promise<Row[]> {
  return (await query.execute(app.db)).rows;
}

async function create(
  name: string,
  parent: { readonly id: number } | null = null,
  type: contract.Hierarchy['type'] = 'UNIT',
): Promise<contract.Hierarchy> {
  const body = { type, name, parent_id: parent?.id ?? null };
  return (await app.post('/hierarchies/', body)).as(contract.createHierarchy);
}

async function read(id: number): Promise<contract.Hierarchy> {
  return (await app.get(`/hierarchies/${id}`)).as(contract.getHierarchy);
}

async function children(id: number): Promise<contract.Hierarchy[]> {
  return (await app.get(`/hierarchies/${id}/children`)).as(contract.hierarchyChildren);
}

async function list(query: string) {
  return (await app.get(`/hierarchies/?${query}`)).as(contract.listHierarchies);
}

async function tree(query: string): Promise<contract.HierarchyTree[]> {
  return (await app.get(`/hierarchies/tree${query}`)).as(contract.hierarchyTrees);
}

/** Adds `count` nodes below one another, fast: for depths and widths that requests would take long to make. */
async function insertChain(top: contract.Hierarchy, count: number): Promise<number[]> {
  const made = await rows(sql<{ id: number }>`
    with recursive ids as materialized (
      select nextval('hierarchy_id_seq')::integer as id, n from generate_series(1, ${count}::integer) n
    ), chain (id, parent_id, n, path) as (
      select id, ${top.id}::integer, n, ${top.path}::text || ' / ' || n from ids where n = 1
      union all
      select ids.id, chain.id, ids.n, chain.path || ' / ' || ids.n from chain join ids on ids.n = chain.n + 1
    )
    insert into hierarchy (id, parent_id, type, name, path)
    select id, parent_id, 'TEAM', n, path from chain order by n returning id`);
  return made.map(({ id }) => id);
}

async function insertChildren(parent: contract.Hierarchy, count: number): Promise<void> {
  await sql`
    insert into hierarchy (parent_id, type, name, path)
    select ${parent.id}::integer, 'TEAM', 'child ' || lpad(n::text, 5, '0'), ${parent.path}::text || ' / child ' || lpad(n::text, 5, '0')
    from generate_series(1, ${count}::integer) n`.execute(app.db);
}

describe('adding', () => {
  test('a root has its own name as path, a child its parent’s path before it', async () => {
    const root = await create(unused('Root'));
    expect(root).toEqual({ id: root.id, type: 'UNIT', name: root.name, parent_id: null, path: root.name });
    const child = await create('Child', root, 'TEAM');
    expect(child).toMatchObject({ parent_id: root.id, type: 'TEAM', path: `${root.name} / Child` });
    const grandchild = await create('Grand', child, 'UNIT');
    expect(grandchild.path).toBe(`${root.name} / Child / Grand`);
    expect(await read(grandchild.id)).toEqual(grandchild);
  });

  test('an id may come as text, as v1’s forms send it', async () => {
    const root = await create(unused());
    const response = await app.post('/hierarchies', { type: 'ANAF', name: 'x', parent_id: ` ${root.id} ` });
    expect(response.as(contract.createHierarchy).parent_id).toBe(root.id);
  });

  test.each([0, -1, 2_000_000_000])('an unknown parent (%d) is a 400 that says parent', async (parent_id) => {
    const response = await app.post('/hierarchies/', { type: 'UNIT', name: unused(), parent_id });
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({
      detail: expect.stringMatching(new RegExp(`parent.*${parent_id} not found`, 'i')),
      message: expect.any(String),
    });
  });

  test('a sibling of the same name is a 400 that says exists, also among roots; elsewhere the name is free', async () => {
    const [one, other] = [await create(unused()), await create(unused())];
    await create('Same', one);
    const again = await app.post('/hierarchies/', { type: 'TEAM', name: 'Same', parent_id: one.id });
    expect(again.status).toBe(400);
    expect(again.json()).toMatchObject({ detail: expect.stringContaining('already exists') });
    await create('Same', other);
    await create('same', one);
    expect((await app.post('/hierarchies/', { type: 'UNIT', name: one.name })).status).toBe(400);
  });

  test.each([
    ['name', { type: 'UNIT' }],
    ['type', { name: 'x' }],
    ['name', { type: 'UNIT', name: '' }],
    ['name', { type: 'UNIT', name: 'x'.repeat(201) }],
    ['name', { type: 'UNIT', name: 'NUL \u0000' }],
    ['name', { type: 'UNIT', name: null }],
    ['type', { type: 'unit', name: 'x' }],
    ['parent_id', { type: 'UNIT', name: 'x', parent_id: 1.5 }],
    ['parent_id', { type: 'UNIT', name: 'x', parent_id: 'root' }],
    ['parent_id', { type: 'UNIT', name: 'x', parent_id: 2 ** 31 }],
  ])('%s is refused in %j', async (field, body) => {
    const response = await app.post('/hierarchies/', body);
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ detail: [{ loc: ['body', field] }] });
  });

  test('names may hold what is special elsewhere', async () => {
    const root = await create(unused('100%_off\\'));
    const child = await create('R&D / "Ops" <ב>', root);
    expect(child.path).toBe(`${root.name} / R&D / "Ops" <ב>`);
    expect((await tree(`?hierarchy_id=${root.id}`)).map(({ name }) => name)).toEqual(['R&D / "Ops" <ב>']);
  });

  test('of 50 requests at once for one name one wins and the others hear that it exists', async () => {
    const root = await create(unused());
    const responses = await Promise.all(
      Array.from({ length: 50 }, () =>
        app.post('/hierarchies/', { type: 'TEAM', name: 'Contended', parent_id: root.id }),
      ),
    );
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
    const refused = responses.filter(({ status, text }) => status === 400 && text.includes('already exists'));
    expect(refused).toHaveLength(49);
    expect(await children(root.id)).toHaveLength(1);
  });
});

describe('listing', () => {
  let root: contract.Hierarchy;
  beforeAll(async () => {
    root = await create('Listed');
    await create('b', root, 'TEAM');
    await create('a', root, 'ANAF');
    await create('c_%', root, 'MADOR');
  });
  const namesOf = (page: { items: { name: string }[] }): string[] => page.items.map(({ name }) => name);

  test('is by name, in pages', async () => {
    const query = `parent_id=${root.id}`;
    expect(await list(query)).toMatchObject({ total: 3, page: 1, limit: 100, pages: 1, has_next: false });
    expect(namesOf(await list(query))).toEqual(['a', 'b', 'c_%']);
    expect(await list(`${query}&limit=2&page=2`)).toMatchObject({
      items: [{ name: 'c_%' }],
      total: 3,
      pages: 2,
      has_next: false,
      has_prev: true,
    });
    expect(namesOf(await list(`${query}&page=2147483647&limit=200`))).toEqual([]);
    expect((await app.get('/hierarchies?limit=201')).status).toBe(422);
  });

  test('filters by type and by part of the name, in which nothing is a wildcard', async () => {
    expect(namesOf(await list(`parent_id=${root.id}&type_filter=ANAF`))).toEqual(['a']);
    expect(namesOf(await list(`parent_id=${root.id}&search=C`))).toEqual(['c_%']);
    expect(namesOf(await list(`parent_id=${root.id}&search=_%25`))).toEqual(['c_%']);
    expect(namesOf(await list(`parent_id=${root.id}&search=%25`))).toEqual(['c_%']);
    expect(namesOf(await list(`parent_id=${root.id}&search=`))).toEqual(['a', 'b', 'c_%']);
    expect((await list('parent_id=0')).total).toBe(0);
    expect((await app.get('/hierarchies/?type_filter=team')).status).toBe(422);
    expect((await app.get('/hierarchies/?parent_id=x')).status).toBe(422);
  });

  test('sorts by every column, types by rank', async () => {
    const sorted = (sort: string) => list(`parent_id=${root.id}&${sort}`).then(namesOf);
    expect(await sorted('sort_by=name&sort_order=desc')).toEqual(['c_%', 'b', 'a']);
    expect(await sorted('sort_by=id')).toEqual(['b', 'a', 'c_%']);
    expect(await sorted('sort_by=path&sort_order=desc')).toEqual(['c_%', 'b', 'a']);
    expect(await sorted('sort_by=type')).toEqual(['a', 'c_%', 'b']);
    // Equal keys: by id, so that pages neither repeat nor skip.
    expect(await sorted('sort_by=parent_id')).toEqual(['b', 'a', 'c_%']);
  });

  test.each(['children', 'parent', 'purposes', 'metadata', '__class__', 'created_at', 'name;drop', ''])(
    'sorting by %j, which is no column of the record, falls back to the name',
    async (sort_by) => {
      const query = `parent_id=${root.id}&sort_by=${encodeURIComponent(sort_by)}`;
      expect(namesOf(await list(query))).toEqual(['a', 'b', 'c_%']);
    },
  );

  test('refuses another sort order', async () => {
    expect((await app.get('/hierarchies/?sort_order=up')).status).toBe(422);
  });
});

describe('the tree', () => {
  test('without an id, and with id 0, shows all roots with everything below', async () => {
    const root = await create(unused('Tree'));
    const child = await create('child', root);
    const leaf = await create('leaf', child);
    const expected = { ...root, children: [{ ...child, children: [{ ...leaf, children: [] }] }] };
    const all = await tree('');
    expect(all.find(({ id }) => id === root.id)).toEqual(expected);
    expect(all.every(({ parent_id }) => parent_id === null)).toBe(true);
    expect(all.map(({ name }) => name)).toEqual(
      (
        await rows(sql<{ name: string }>`select name from hierarchy where parent_id is null order by name`)
      ).map(({ name }) => name),
    );
    expect(await tree('?hierarchy_id=0')).toEqual(all);
  });

  test('with an id shows its children by name, each with its subtree; the node itself only on demand', async () => {
    const root = await create(unused('Tree'));
    const [second, first] = [await create('2', root), await create('1', root)];
    const leaf = await create('leaf', second);
    const below = [
      { ...first, children: [] },
      { ...second, children: [{ ...leaf, children: [] }] },
    ];
    expect(await tree(`?hierarchy_id=${root.id}`)).toEqual(below);
    expect(await tree(`?hierarchy_id=${root.id}&include_node=true`)).toEqual([{ ...root, children: below }]);
    expect(await tree(`?hierarchy_id=${leaf.id}`)).toEqual([]);
  });

  test('of an unknown id is not found', async () => {
    const response = await app.get('/hierarchies/tree?hierarchy_id=2000000000');
    expect(response.status).toBe(404);
    expect(response.json()).toMatchObject({ detail: expect.stringMatching(/not found/i) });
    expect((await app.get('/hierarchies/tree?hierarchy_id=x')).status).toBe(422);
  });

  test('100 levels deep is complete, and its paths follow a rename at the top', async () => {
    const root = await create('R');
    const ids = await insertChain(root, 100);
    let level = await tree(`?hierarchy_id=${root.id}`);
    const seen: number[] = [];
    while (level[0]) {
      expect(level).toHaveLength(1);
      seen.push(level[0].id);
      level = level[0].children;
    }
    expect(seen).toEqual(ids);

    (await app.patch(`/hierarchies/${root.id}`, { name: 'Renamed' })).as(contract.updateHierarchy);
    const deepest = await read(ids.at(-1) ?? 0);
    expect(deepest.path).toBe(['Renamed', ...ids.map((_, index) => `${index + 1}`)].join(' / '));
  });

  test('2,000 siblings all show', async () => {
    const root = await create(unused('Wide'));
    await insertChildren(root, 2000);
    expect(await tree(`?hierarchy_id=${root.id}`)).toHaveLength(2000);
    const moved = (await app.patch(`/hierarchies/${root.id}`, { name: 'Wide again' })).as(
      contract.updateHierarchy,
    );
    const last = (await list(`parent_id=${moved.id}&sort_order=desc&limit=1`)).items[0];
    expect(last?.path).toBe('Wide again / child 02000');
  });
});

describe('children', () => {
  test('are the direct ones by name, 200 unless a limit up to 1000 is given', async () => {
    const root = await create(unused());
    await insertChildren(root, 1100);
    const ask = async (query: string) =>
      (await app.get(`/hierarchies/${root.id}/children${query}`)).as(contract.hierarchyChildren);
    expect(await ask('')).toHaveLength(200);
    expect((await ask('?limit=1')).map(({ name }) => name)).toEqual(['child 00001']);
    expect(await ask('?limit=201')).toHaveLength(201);
    expect(await ask('?limit=1000')).toHaveLength(1000);
  });

  test.each(['0', '1001', 'x'])('refuse a limit of %s', async (limit) => {
    const root = await create(unused());
    expect((await app.get(`/hierarchies/${root.id}/children?limit=${limit}`)).status).toBe(422);
  });

  test('of an unknown node are not found', async () => {
    expect((await app.get('/hierarchies/2000000000/children')).status).toBe(404);
  });
});

describe('changing', () => {
  test('only what is present; nothing present changes nothing', async () => {
    const parent = await create(unused());
    const node = await create('kept', parent, 'TEAM');
    const change = async (body: unknown) =>
      (await app.patch(`/hierarchies/${node.id}`, body)).as(contract.updateHierarchy);
    expect(await change({})).toEqual(node);
    expect(await change({ unknown: 1 })).toEqual(node);
    expect(await change({ type: 'CENTER' })).toEqual({ ...node, type: 'CENTER' });
    expect(await change({ name: 'new' })).toMatchObject({
      type: 'CENTER',
      name: 'new',
      path: `${parent.name} / new`,
    });
    expect(await change({ parent_id: null, name: unused('root') })).toMatchObject({ parent_id: null });
  });

  test('an edit that changes nothing leaves no trace', async () => {
    const node = await create(unused());
    const trace = async () =>
      await rows(sql`select updated_at, (select count(*) from audit_entry where entity = 'hierarchy' and entity_id = ${node.id})
        from hierarchy where id = ${node.id}`);
    const before = await trace();
    await app.patch(`/hierarchies/${node.id}`, { name: node.name, type: node.type, parent_id: null });
    expect(await trace()).toEqual(before);
  });

  test('a move rewrites the paths of everything below, and of nothing else', async () => {
    const [from, to] = [await create(unused('From')), await create(unused('To'))];
    const node = await create('node', from);
    const below = await create('below', node);
    const deepest = await create('a / b', below);
    const beside = await create('node2', from);
    (await app.patch(`/hierarchies/${node.id}`, { parent_id: to.id })).as(contract.updateHierarchy);
    expect((await read(node.id)).path).toBe(`${to.name} / node`);
    expect((await read(deepest.id)).path).toBe(`${to.name} / node / below / a / b`);
    expect(await read(beside.id)).toEqual(beside);
    (await app.patch(`/hierarchies/${node.id}`, { parent_id: null, name: unused('top') })).as(
      contract.updateHierarchy,
    );
    expect((await read(below.id)).path).toBe(`top ${names} / below`);
  });

  test('a rename is one entry of the audit trail: the paths below follow from it', async () => {
    const root = await create(unused());
    await create('child', root);
    const entries = async () =>
      (
        await rows(
          sql<{
            n: number;
          }>`select count(*)::integer as n from audit_entry where entity = 'hierarchy'`,
        )
      )[0]?.n ?? 0;
    const before = await entries();
    await app.patch(`/hierarchies/${root.id}`, { name: unused() });
    expect(await entries()).toBe(before + 1);
  });

  test('a path that was wrong, as data of others may be, comes right with the next change', async () => {
    const root = await create(unused());
    const child = await create('child', root);
    const leaf = await create('leaf', child);
    await sql`update hierarchy set path = 'stale' where id in (${child.id}, ${leaf.id})`.execute(app.db);
    await app.patch(`/hierarchies/${root.id}`, { name: unused('Healed') });
    expect((await read(leaf.id)).path).toBe(`Healed ${names} / child / leaf`);
  });

  test('purposes show the new path and are not touched', async () => {
    const root = await create(unused());
    const leaf = await create('leaf', root);
    const purpose = async () =>
      await rows(sql`select version, last_modified from purpose where hierarchy_id = ${leaf.id}`);
    await sql`insert into purpose (hierarchy_id) values (${leaf.id})`.execute(app.db);
    const before = await purpose();
    await app.patch(`/hierarchies/${root.id}`, { name: unused() });
    expect(await purpose()).toEqual(before);
  });

  test('no node becomes its own parent', async () => {
    const node = await create(unused());
    const response = await app.patch(`/hierarchies/${node.id}`, { parent_id: node.id });
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ detail: expect.stringMatching(/own parent/i) });
    expect(await read(node.id)).toEqual(node);
  });

  test('no node moves below one of its own', async () => {
    const top = await create(unused());
    const middle = await create('middle', top);
    const bottom = await create('bottom', middle);
    for (const parent_id of [middle.id, bottom.id]) {
      const response = await app.patch(`/hierarchies/${top.id}`, { parent_id });
      expect(response.status).toBe(400);
      expect(response.json()).toMatchObject({ detail: expect.stringMatching(/circular/i) });
    }
    expect(await read(top.id)).toEqual(top);
  });

  test.each([0, 2_000_000_000])('an unknown parent (%d) is a 400 that says parent', async (parent_id) => {
    const node = await create(unused());
    const response = await app.patch(`/hierarchies/${node.id}`, { parent_id });
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ detail: expect.stringMatching(/parent.*not found/i) });
  });

  test('neither a new name nor a pure move makes two siblings of one name', async () => {
    const [one, other] = [await create(unused()), await create(unused())];
    const node = await create('Twin', one);
    await create('Twin', other);
    const third = await create('Third', one);
    const moved = await app.patch(`/hierarchies/${node.id}`, { parent_id: other.id });
    expect(moved.status).toBe(400);
    expect(moved.json()).toMatchObject({ detail: expect.stringContaining("'Twin' already exists") });
    expect((await app.patch(`/hierarchies/${third.id}`, { name: 'Twin' })).status).toBe(400);
    expect((await app.patch(`/hierarchies/${third.id}`, { parent_id: null, name: one.name })).status).toBe(
      400,
    );
    expect(await read(node.id)).toEqual(node);
    expect(await read(third.id)).toEqual(third);
  });

  test.each([{ name: null }, { type: null }, { name: '' }, { type: 'X' }, { parent_id: 'x' }])(
    '%j is refused',
    async (body) => {
      const node = await create(unused());
      const response = await app.patch(`/hierarchies/${node.id}`, body);
      expect(response.status).toBe(422);
      expect(response.json()).toMatchObject({ detail: [{ loc: ['body', Object.keys(body)[0]] }] });
    },
  );

  test('an unknown node is not found', async () => {
    const response = await app.patch('/hierarchies/2000000000', { parent_id: 2_000_000_000 });
    expect(response.status).toBe(404);
    expect(response.json()).toMatchObject({ detail: expect.stringMatching(/not found/i) });
  });

  test('a path of 1000 characters fits; a longer one is refused, its own or of a node below, and nothing changes', async () => {
    // Six levels of 164 characters and five times " / ": 999.
    let node: contract.Hierarchy | null = null;
    const levels: contract.Hierarchy[] = [];
    for (let level = 1; level <= 6; level += 1) {
      node = await create(`${level}${'א'.repeat(163)}`, node);
      levels.push(node);
    }
    const [top, bottom] = [levels[0], levels[5]];
    if (!top || !bottom) throw new Error('six levels were made');
    expect(bottom.path).toHaveLength(999);

    const rename = (name: string) => app.patch(`/hierarchies/${top.id}`, { name });
    expect((await rename(`${top.name}x`)).status).toBe(200);
    const paths = async () =>
      await rows(sql<{ path: string }>`select path from hierarchy where name like '%אאא%' order by id`);
    const before = await paths();
    expect(before.at(-1)?.path).toHaveLength(1000);
    for (const tooLong of [
      rename(`${top.name}xy`),
      app.post('/hierarchies/', { type: 'TEAM', name: 'x', parent_id: bottom.id }),
      app.patch(`/hierarchies/${(await create(unused('Movable'))).id}`, { parent_id: bottom.id }),
    ]) {
      const response = await tooLong;
      expect(response.status).toBe(400);
      expect(response.json()).toMatchObject({ detail: expect.stringMatching(/path .*at most 1000/) });
    }
    expect(await paths()).toEqual(before);
  });

  test('two moves at once cannot make a circle', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [a, b] = [await create(unused()), await create(unused())];
      const responses = await Promise.all([
        app.patch(`/hierarchies/${a.id}`, { parent_id: b.id }),
        app.patch(`/hierarchies/${b.id}`, { parent_id: a.id }),
      ]);
      expect([
        [200, 400],
        [400, 200],
      ]).toContainEqual(responses.map(({ status }) => status));
      expect(responses.find(({ status }) => status === 400)?.text).toMatch(/circular/i);
    }
  });

  test('paths come right whatever happens at once: renames, moves and additions', async () => {
    const [one, two] = [await create(unused()), await create(unused())];
    const moving = await create('moving', one);
    const additions = Array.from({ length: 15 }, (_, index) =>
      app.post('/hierarchies/', { type: 'TEAM', name: `${index}`, parent_id: moving.id }),
    );
    const responses = await Promise.all([
      ...additions.slice(0, 5),
      app.patch(`/hierarchies/${moving.id}`, { parent_id: two.id }),
      ...additions.slice(5, 10),
      app.patch(`/hierarchies/${two.id}`, { name: unused('Two') }),
      app.patch(`/hierarchies/${moving.id}`, { name: 'moved' }),
      ...additions.slice(10),
    ]);
    expect(responses.every(({ status }) => status < 300)).toBe(true);
    const parent = await read(moving.id);
    expect(parent.path).toBe(`Two ${names} / moved`);
    const all = await children(moving.id);
    expect(all).toHaveLength(15);
    expect(all.filter(({ name, path }) => path !== `${parent.path} / ${name}`)).toEqual([]);
  });
});

describe('deleting', () => {
  test('removes a node that nothing needs', async () => {
    const node = await create(unused());
    const response = await app.delete(`/hierarchies/${node.id}`);
    expect([response.status, response.text]).toEqual([204, '']);
    expect((await app.get(`/hierarchies/${node.id}`)).status).toBe(404);
    const again = await app.delete(`/hierarchies/${node.id}`);
    expect([again.status, again.text]).toEqual([404, expect.stringMatching(/not found/i)]);
  });

  test('a node with children stays, even when purposes use it too', async () => {
    const node = await create(unused());
    await create('child', node);
    await sql`insert into purpose (hierarchy_id) values (${node.id})`.execute(app.db);
    const response = await app.delete(`/hierarchies/${node.id}`);
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ detail: expect.stringMatching(/children/i) });
  });

  test('a node that purposes use stays, and says how many', async () => {
    const node = await create(unused());
    await sql`insert into purpose (hierarchy_id) values (${node.id}), (${node.id})`.execute(app.db);
    const response = await app.delete(`/hierarchies/${node.id}`);
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ detail: expect.stringContaining('2 purposes') });
    expect(await read(node.id)).toEqual(node);
  });

  test('at the same time as a child is added: either there is no node, or it has its child', async () => {
    for (let round = 0; round < 10; round += 1) {
      const node = await create(unused());
      const [added, removed] = await Promise.all([
        app.post('/hierarchies/', { type: 'TEAM', name: 'child', parent_id: node.id }),
        app.delete(`/hierarchies/${node.id}`),
      ]);
      expect([
        [201, 400],
        [400, 204],
      ]).toContainEqual([added.status, removed.status]);
    }
  });
});

test('readers may read and not write', async () => {
  const node = await create(unused());
  const user = { role: 'user' } as const;
  for (const path of ['', '/tree', `/${node.id}`, `/${node.id}/children`]) {
    expect((await app.get(`/hierarchies${path}`, user)).status).toBe(200);
    expect((await app.get(`/hierarchies${path}`, { role: null })).status).toBe(401);
  }
  expect((await app.post('/hierarchies', {}, user)).status).toBe(403);
  expect((await app.patch(`/hierarchies/${node.id}`, {}, user)).status).toBe(403);
  expect((await app.delete(`/hierarchies/${node.id}`, user)).status).toBe(403);
});
