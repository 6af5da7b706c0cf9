CREATE TABLE page_views (
    id text PRIMARY KEY,
    at timestamptz NOT NULL,
    user_id text NOT NULL,
    country text,
    page text NOT NULL,
    ms integer
);

CREATE TABLE clicks (
    id text PRIMARY KEY,
    at timestamptz NOT NULL,
    user_id text NOT NULL,
    country text,
    target text NOT NULL
);

CREATE TABLE purchases (
    id text NOT NULL,
    line integer NOT NULL,
    at timestamptz NOT NULL,
    user_id text NOT NULL,
    country text,
    sku text NOT NULL,
    price numeric(12, 2) NOT NULL,
    PRIMARY KEY (id, line)
);
