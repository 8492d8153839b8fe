-- What the lab adds to the sample shop: things that a migration easily leaves behind.

CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_reader NOLOGIN;
CREATE ROLE analyst LOGIN;
GRANT shop_reader TO analyst;

-- Filled with rows that only the grader can compute.
CREATE TABLE public.price_list (
  number integer PRIMARY KEY,
  label text NOT NULL,
  price public.cents NOT NULL,
  valid daterange NOT NULL,
  CHECK (number > 0)
);
ALTER TABLE public.price_list ENABLE ROW LEVEL SECURITY;
CREATE POLICY price_list_current ON public.price_list FOR SELECT TO shop_reader
  USING (valid @> CURRENT_DATE);

ALTER TABLE public.gift_cards OWNER TO shop_owner;
GRANT SELECT ON public.orders, public.price_list TO shop_reader;
GRANT SELECT (id, name) ON public.customers TO shop_reader;
GRANT USAGE ON SCHEMA public TO shop_reader;

ALTER ROLE shop SET lock_timeout = '15s';
