import type pg from 'pg';

/**
 * The same rows in every server: orders with words, numbers and their indexes, a trail of changes as JSON, and pictures that
 * no program compresses (4 %). About `megabytes` with the indexes.
 */
export async function fillWithOrders(client: pg.Client, megabytes: number): Promise<void> {
  const orders = Math.round(megabytes * 700);
  await client.query(`
    create table word (n int primary key, word text not null);
    insert into word select n - 1, w from unnest(array[${WORDS.map((word) => `'${word}'`).join()}]) with ordinality as t(w, n);
    create function words(seed int, count int) returns text language sql as $$
      select string_agg(word, ' ' order by i)
      from generate_series(1, count) i join word on n = abs(hashint4(seed * 31 + i)) % ${WORDS.length} $$;
    create table sentence as select n, words(n, 6 + n % 14) as text from generate_series(0, 4999) n;
    create table purchase_order (
      id int primary key, supplier_id int not null, ordered_at timestamptz not null, status text not null,
      subject text not null, total numeric(14, 2) not null, currency text not null, external_id uuid not null);
    insert into purchase_order
      select id, abs(hashint4(id)) % 2000, timestamptz '2020-01-01Z' + id * interval '97 seconds',
        (array['draft', 'approved', 'ordered', 'delivered', 'paid'])[1 + id % 5], text,
        (abs(hashint4(id + 7)) % 10000000) / 100.0, (array['ILS', 'USD', 'EUR'])[1 + id % 3], md5(id::text)::uuid
      from generate_series(1, ${orders}) id join sentence on n = abs(hashint4(id + 1)) % 5000 order by id;
    create table order_line (
      id int primary key, order_id int not null, item text not null, quantity int not null, price numeric(12, 2) not null);
    insert into order_line
      select id, 1 + id / 4, left(text, 40), 1 + abs(hashint4(id)) % 90, (abs(hashint4(id + 3)) % 1000000) / 100.0
      from generate_series(1, ${orders * 4 - 4}) id join sentence on n = abs(hashint4(id + 2)) % 5000 order by id;
    create table trail (id int primary key, order_id int not null, at timestamptz not null, change jsonb not null);
    insert into trail
      select id, 1 + id / 2, timestamptz '2020-01-01Z' + id * interval '49 seconds',
        jsonb_build_object('actor', 'user-' || id % 40, 'field', 'status', 'note', text, 'request', md5((id * 7)::text))
      from generate_series(1, ${orders * 2 - 2}) id join sentence on n = abs(hashint4(id + 5)) % 5000 order by id;
    create table picture (id int primary key, content bytea not null);
    alter table picture alter content set storage external;
    insert into picture
      select id, (select string_agg(sha256((id * 10000 + i)::text::bytea), '' order by i) from generate_series(1, 3000) i)
      from generate_series(1, ${Math.ceil((megabytes * 0.04) / 0.096)}) id;
    create index on purchase_order (supplier_id);
    create index on purchase_order (ordered_at);
    create index on order_line (order_id);
    create index on trail (order_id);
  `);
  await client.query('vacuum (analyze, freeze)');
  await client.query('checkpoint');
}

const WORDS = (
  'annual approval approved bid board budget bracket cable calibration camera certificate chair clearance committee ' +
  'computer contract cooling copper courier coupling customs delivery department desk diesel display driver engine ' +
  'equipment filter fitting freight frequency fuse gasket generator glass goods guarantee hall hose import inspection ' +
  'installation insurance inverter invoice kit laboratory lamp license lift lighting maintenance material measuring meter ' +
  'module monitor motor network office oil operator order packing paint paper part payment pending permit pipe planning ' +
  'plant power pressure price printer project pump purchase quantity quarter quote relay renewal repair replacement request ' +
  'rubber safety sample schedule screen sealing security sensor server service sheet shipment spare stage steel storage ' +
  'supplier supply switch system technical temperature tender test tool training transformer transport urgent valve ' +
  'vehicle ventilation voltage warehouse warranty water welding wheel winter wire workshop'
).split(' ');
