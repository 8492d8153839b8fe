-- What is quicker to make when the tables are full.

CREATE INDEX addresses_customer_id_idx ON public.addresses (customer_id);
CREATE INDEX products_words_idx ON public.products USING gin (words);
CREATE INDEX orders_customer_id_idx ON public.orders (customer_id, id DESC);
CREATE INDEX orders_open_idx ON public.orders (placed_at) WHERE status = 'placed';
CREATE INDEX order_items_product_id_idx ON public.order_items (product_id);
CREATE INDEX events_kind_idx ON public.events (kind, occurred_at);
CREATE INDEX sessions_customer_id_idx ON public.sessions (customer_id);
CREATE INDEX customers_lower_name_idx ON public.customers (lower(name));

CREATE TRIGGER orders_record_status_change
  AFTER UPDATE OF status ON public.orders
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION public.record_status_change();

CREATE VIEW public.order_summary AS
  SELECT o.id, o.status, o.total, o.placed_at, c.email, c.name
  FROM public.orders o JOIN public.customers c ON c.id = o.customer_id;

CREATE MATERIALIZED VIEW public.daily_sales AS
  SELECT (o.placed_at AT TIME ZONE 'UTC')::date AS day, o.status, count(*) AS orders, sum(o.total) AS total
  FROM public.orders o GROUP BY 1, 2;
CREATE UNIQUE INDEX daily_sales_day_status_idx ON public.daily_sales (day, status);

COMMENT ON TABLE public.orders IS 'One row an order; its lines are in order_items';
COMMENT ON COLUMN public.orders.request_id IS 'The write request that placed it; null for seeded orders';
