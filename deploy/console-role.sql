-- The roles of `sluice console` on Postgres. `sluice_console_viewer` reads the ingest_ tables, records included:
-- give it to a console with --read_only. `sluice_console` may also do what operators and admins may; it reads
-- your tables only where you grant that, to show the row that a record has become:
--     GRANT SELECT ON orders TO sluice_console;
-- Run it as the owner of the ingest_ tables, once a pipeline has made them and after each upgrade:
--     psql "$SINK" --set ON_ERROR_STOP=1 --file deploy/console-role.sql
--     \password sluice_console
DO $$
DECLARE
    known record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_console_viewer') THEN
        CREATE ROLE sluice_console_viewer LOGIN CONNECTION LIMIT 20;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_console') THEN
        CREATE ROLE sluice_console LOGIN CONNECTION LIMIT 20;
    END IF;
    FOR known IN
        SELECT table_name AS name
        FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_name LIKE 'ingest\_%'
    LOOP
        EXECUTE format('GRANT SELECT ON %I TO sluice_console_viewer, sluice_console', known.name);
    END LOOP;
END
$$;
-- Dead letters: replayed, cancelled, edited, purged, and counted in the ledger.
GRANT UPDATE, DELETE ON ingest_jobs TO sluice_console;
GRANT INSERT, UPDATE, DELETE ON ingest_queue TO sluice_console;
GRANT INSERT, DELETE ON ingest_dead, ingest_edits TO sluice_console;
GRANT INSERT ON ingest_fingerprints, ingest_audit TO sluice_console;
GRANT UPDATE ON ingest_progress TO sluice_console;
GRANT INSERT, UPDATE ON ingest_counts TO sluice_console;
-- Actions on many of them, and who carries them out.
GRANT INSERT, UPDATE ON ingest_orders, ingest_leases TO sluice_console;
-- Pause, resume, drain and rate.
GRANT INSERT, UPDATE ON ingest_control TO sluice_console;
GRANT USAGE ON SEQUENCE ingest_audit_id_seq, ingest_edits_id_seq, ingest_orders_id_seq TO sluice_console;
