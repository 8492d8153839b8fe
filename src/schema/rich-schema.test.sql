CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE SCHEMA billing;
CREATE SCHEMA "Odd ""Schema"".x";
COMMENT ON SCHEMA billing IS 'money; -- Name: fake; Type: TABLE; Schema: x; Owner: y';
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'it''s; "great"');
CREATE DOMAIN public.positive AS int CONSTRAINT positive_check CHECK (VALUE > 0);
CREATE TYPE public.pair AS (a int, b text);
CREATE TYPE public.span AS RANGE (subtype = float8);
CREATE FUNCTION public.norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(public.citext(t)::text) $$;
CREATE FUNCTION public.liar() RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
--
-- Name: not_a_table; Type: TABLE; Schema: public; Owner: nobody
--

CREATE TABLE not_a_table (a int);
END $body$;
CREATE FUNCTION public.atomic(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT a + 1; END;
CREATE TABLE public.customers (
  id int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5 CACHE 3) PRIMARY KEY,
  email public.citext NOT NULL UNIQUE,
  mood public.mood DEFAULT 'ok' NOT NULL,
  slug text GENERATED ALWAYS AS (public.norm('x')) STORED,
  seen timestamptz DEFAULT '2020-01-01 12:00:00+02',
  tags text[] DEFAULT ARRAY['a','b'],
  amount public.positive,
  p public.pair,
  CHECK (seen > '2000-01-01+00')
);
COMMENT ON TABLE public.customers IS 'who buys
--
-- Name: evil; Type: TABLE; Schema: public; Owner: x
--
';
COMMENT ON COLUMN public.customers.email IS 'unique';
CREATE TABLE public.orders (
  id serial PRIMARY KEY,
  customer int REFERENCES public.customers DEFERRABLE INITIALLY DEFERRED,
  total numeric(10,2) NOT NULL DEFAULT 0,
  body jsonb,
  during tstzrange,
  EXCLUDE USING gist (during WITH &&)
);
INSERT INTO public.customers (email, amount) SELECT 'c' || i || '@x', i FROM generate_series(1, 50) i;
INSERT INTO public.orders (customer, total) SELECT id, -1 FROM public.customers;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE public.orders ADD CONSTRAINT positive_total CHECK (total >= 0) NOT VALID;
CREATE INDEX orders_partial ON public.orders (customer) WHERE total > 10;
CREATE INDEX orders_body ON public.orders USING gin (body jsonb_path_ops);
CREATE INDEX customers_trgm ON public.customers USING gin (slug public.gin_trgm_ops);
CREATE UNIQUE INDEX customers_expression ON public.customers (public.norm(email::text)) INCLUDE (amount);
CREATE STATISTICS public.orders_stats (dependencies, ndistinct) ON customer, total FROM public.orders;
ALTER TABLE public.orders ALTER COLUMN total SET STATISTICS 500;
CREATE TABLE billing.cycle_a (id int PRIMARY KEY, b int);
CREATE TABLE billing.cycle_b (id int PRIMARY KEY, a int REFERENCES billing.cycle_a);
INSERT INTO billing.cycle_a VALUES (1, 99);
ALTER TABLE billing.cycle_a ADD CONSTRAINT cycle_fk FOREIGN KEY (b) REFERENCES billing.cycle_b NOT VALID;
CREATE TABLE billing.no_key (a int NOT NULL, b text);
CREATE UNIQUE INDEX no_key_unique ON billing.no_key (a);
ALTER TABLE billing.no_key REPLICA IDENTITY USING INDEX no_key_unique;
CREATE TABLE billing.full_identity (a int, b text);
ALTER TABLE billing.full_identity REPLICA IDENTITY FULL;
CREATE TABLE public.events (id bigint, at timestamptz NOT NULL, kind text, UNIQUE (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00') PARTITION BY LIST (kind);
CREATE TABLE public.events_2025_a PARTITION OF public.events_2025 FOR VALUES IN ('a');
CREATE TABLE public.events_2025_rest PARTITION OF public.events_2025 DEFAULT;
CREATE INDEX events_kind ON public.events (kind);
CREATE TABLE public.by_mood (m public.mood, n int) PARTITION BY HASH (m);
CREATE TABLE public.by_mood_0 PARTITION OF public.by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.by_mood_1 PARTITION OF public.by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE public.parent (a int NOT NULL, CHECK (a > 0));
CREATE TABLE public.child (b text) INHERITS (public.parent);
CREATE UNLOGGED TABLE public.scratch (a int);
CREATE VIEW public.rich AS SELECT c.id, count(*) AS orders FROM public.customers c LEFT JOIN public.orders o ON o.customer = c.id GROUP BY c.id;
CREATE VIEW public.depends_on_key AS SELECT id, email, mood FROM public.customers GROUP BY id;
CREATE VIEW public.checked WITH (security_barrier) AS SELECT * FROM billing.cycle_a WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE MATERIALIZED VIEW public.summary AS SELECT mood, count(*) FROM public.customers GROUP BY mood;
CREATE UNIQUE INDEX summary_mood ON public.summary (mood);
CREATE MATERIALIZED VIEW public.empty_summary AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER audit BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.audit('x');
CREATE TRIGGER audit_always AFTER UPDATE OF total ON public.orders FOR EACH ROW WHEN (NEW.total > 5) EXECUTE FUNCTION public.audit();
ALTER TABLE public.orders ENABLE ALWAYS TRIGGER audit_always;
CREATE TRIGGER events_audit BEFORE INSERT ON public.events FOR EACH ROW EXECUTE FUNCTION public.audit();
ALTER TABLE public.events_2025_a DISABLE TRIGGER events_audit;
-- Its name comes before the root's, and the partition between them has no entry of its own in a dump.
CREATE TABLE public.a_leaf PARTITION OF public.events_2025 FOR VALUES IN ('leaf');
ALTER TABLE public.a_leaf ENABLE REPLICA TRIGGER events_audit;
CREATE RULE protect AS ON DELETE TO billing.no_key DO INSTEAD NOTHING;
ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.customers FOR SELECT TO :reader, :writer USING (id > 3);
CREATE TABLE "Odd ""Schema"".x"."Foo"".Bar"".Identifer As ""Column"".$1:" ("a ""b"".c" int PRIMARY KEY, "new
line" text, "ünï çødé" text);
CREATE INDEX "idx; Type: TABLE; Schema: ""x"
  ON "Odd ""Schema"".x"."Foo"".Bar"".Identifer As ""Column"".$1:" ("new
line");
CREATE TABLE public.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (id int PRIMARY KEY);
CREATE TABLE billing."multi
line; Type: INDEX; Schema: y; Owner: z" (id int PRIMARY KEY);
CREATE SEQUENCE billing.down AS smallint INCREMENT -2 MINVALUE -100 MAXVALUE -1 START -5 CYCLE CACHE 7;
GRANT SELECT, INSERT (email) ON public.customers TO :reader WITH GRANT OPTION;
GRANT USAGE ON SCHEMA billing TO :reader;
GRANT EXECUTE ON FUNCTION public.norm(text) TO :reader;
REVOKE ALL ON FUNCTION public.norm(text) FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :writer IN SCHEMA billing GRANT SELECT ON TABLES TO :reader;
ALTER TABLE billing.no_key OWNER TO :writer;
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION public.on_ddl();
CREATE AGGREGATE public.total_of(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (public.pair AS text) WITH INOUT;
CREATE COLLATION public.german (provider = icu, locale = 'de', deterministic = false);
CREATE TABLE public.german_names (name text COLLATE public.german PRIMARY KEY);
CREATE TEXT SEARCH CONFIGURATION public.mine (COPY = simple);
CREATE FOREIGN DATA WRAPPER dummy;
CREATE SERVER nowhere FOREIGN DATA WRAPPER dummy OPTIONS (host 'x');
CREATE FOREIGN TABLE public.far (a int) SERVER nowhere;
CREATE PROCEDURE public.work(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := 1; END';
CREATE PUBLICATION other FOR TABLE public.orders;
SELECT lo_from_bytea(0, 'x');
CREATE TABLE public.many_to_one (id int PRIMARY KEY, a int REFERENCES billing.cycle_a, b int REFERENCES public.orders ON DELETE CASCADE);
CREATE TABLE public.event_notes (id bigint, at timestamptz, kind text, FOREIGN KEY (id, at, kind) REFERENCES public.events (id, at, kind));
CREATE MATERIALIZED VIEW public.by_key AS SELECT id, email, amount FROM public.customers GROUP BY id;
CREATE INDEX by_key_amount ON public.by_key (amount);
ALTER TABLE public.orders ADD CONSTRAINT total_key UNIQUE NULLS NOT DISTINCT (id, body) INCLUDE (during) WITH (fillfactor = 70);
ALTER TABLE public.orders ADD CONSTRAINT late_key UNIQUE (id, total) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE public.orders CLUSTER ON orders_pkey;
CREATE TABLE public.wide () WITH (fillfactor = 50, autovacuum_enabled = false);
CREATE TABLE public.awkward (a int, "select" text DEFAULT E'back\\slash ''quote'' $x$', dropped int, b bytea DEFAULT '\x00ff', "system_user" text);
ALTER TABLE public.awkward DROP COLUMN dropped;
ALTER TABLE public.awkward ALTER COLUMN b SET STORAGE EXTERNAL, ALTER COLUMN b SET COMPRESSION pglz;
CREATE VIEW public.system_user_view AS SELECT a."system_user", CASE WHEN a.a > 1 THEN 'x' END AS x FROM public.awkward a WHERE EXISTS (SELECT 1 FROM public.orders o WHERE o.id = a.a);
CREATE FUNCTION public.key_count() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM (SELECT id, email FROM public.customers GROUP BY id) AS k; END;
CREATE VIEW public.uses_late_function AS SELECT public.key_count();

-- A type that 17 prints without quotes.
CREATE TABLE public.papers (id int PRIMARY KEY, body json DEFAULT '{}'::json, pages json[], "json" text);
CREATE FUNCTION public.first_page(paper json, pages json[]) RETURNS json LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE INDEX papers_page ON public.papers ((public.first_page(body, pages)::text));
