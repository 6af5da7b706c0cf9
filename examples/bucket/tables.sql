CREATE TABLE readings (
    sensor text NOT NULL,
    at timestamptz NOT NULL,
    celsius numeric(5, 2) NOT NULL,
    PRIMARY KEY (sensor, at)
);
