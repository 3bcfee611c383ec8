/**
 * The tables of davit.db, one entry for each version of the state.
 * An entry that was released is never edited: a change is a new entry.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE services (
     id TEXT PRIMARY KEY,
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE releases (
     service TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
     release INTEGER NOT NULL,
     spec TEXT NOT NULL,
     reason TEXT NOT NULL,
     outcome TEXT NOT NULL,
     cause TEXT,
     created_at INTEGER NOT NULL,
     created_by TEXT NOT NULL,
     PRIMARY KEY (service, release)
   ) STRICT;
   CREATE TABLE events (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     time INTEGER NOT NULL,
     type TEXT NOT NULL,
     service TEXT,
     release INTEGER,
     pid INTEGER,
     actor TEXT,
     message TEXT NOT NULL
   ) STRICT;
   CREATE INDEX events_by_service ON events (service, id);
   CREATE TABLE api_keys (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     hash BLOB NOT NULL,
     scopes TEXT NOT NULL,
     services TEXT,
     created_at INTEGER NOT NULL,
     expires_at INTEGER,
     last_used_at INTEGER,
     revoked_at INTEGER
   ) STRICT;
   CREATE TABLE idempotent_answers (
     actor TEXT NOT NULL,
     key TEXT NOT NULL,
     fingerprint TEXT NOT NULL,
     http_status INTEGER NOT NULL,
     body TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     PRIMARY KEY (actor, key)
   ) STRICT;
   CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_at)`,
  // A service has instances, and an event says which of them it is about and what led to it.
  `ALTER TABLE events ADD COLUMN instance INTEGER;
   ALTER TABLE events ADD COLUMN cause INTEGER;
   UPDATE services SET record = json_remove(
     json_set(record,
       '$.scale', NULL,
       '$.declared_in', NULL,
       '$.instances', json_array(json_object(
         'number', 1,
         'state', json_extract(record, '$.state'),
         'process', json(json_extract(record, '$.process')),
         'run', json_extract(record, '$.runs'),
         'port', NULL,
         'readiness', NULL,
         'liveness', NULL,
         'has_logged_ready', NULL,
         'last_probe', NULL,
         'last_exit', json(json_extract(record, '$.last_exit')),
         'restarts', json('{"count":0,"streak":0,"recent":[]}'),
         'retry_at', NULL,
         'last_event', NULL))),
     '$.state', '$.process', '$.last_exit');
   UPDATE services SET record = json_remove(
     json_set(record, '$.under_way.before.instance_ids',
       json_array(json_extract(record, '$.under_way.before.instance_id'))),
     '$.under_way.before.instance_id')
     WHERE json_type(record, '$.under_way.before') = 'object';
   UPDATE services SET record = json_set(record, '$.under_way.instances', 1, '$.under_way.cause', NULL)
     WHERE json_type(record, '$.under_way') = 'object';
   CREATE TABLE task_runs (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     service TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
     run INTEGER,
     release INTEGER,
     instance INTEGER,
     trigger TEXT NOT NULL,
     scheduled_for INTEGER,
     started_at INTEGER,
     ended_at INTEGER,
     outcome TEXT NOT NULL,
     return_code INTEGER,
     signal TEXT,
     message TEXT NOT NULL,
     times INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX task_runs_by_service ON task_runs (service, id);
   CREATE TABLE health_runs (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     service TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
     instance INTEGER NOT NULL,
     kind TEXT NOT NULL,
     verdict TEXT NOT NULL,
     success INTEGER NOT NULL,
     message TEXT NOT NULL,
     first_at INTEGER NOT NULL,
     last_at INTEGER NOT NULL,
     count INTEGER NOT NULL,
     shortest_ms REAL NOT NULL,
     longest_ms REAL NOT NULL,
     total_ms REAL NOT NULL
   ) STRICT;
   CREATE INDEX health_runs_by_service ON health_runs (service, id)`,
  // Instances drain, a replacement has a strategy, and deployments are kept.
  `UPDATE services SET record = json_set(record, '$.instances',
     (SELECT json_group_array(json_set(value, '$.draining', NULL)) FROM json_each(record, '$.instances')));
   UPDATE services SET record = json_set(record, '$.under_way.strategy', 'recreate',
     '$.under_way.places', json('[]'), '$.under_way.shares', NULL, '$.under_way.deployment', NULL)
     WHERE json_type(record, '$.under_way') = 'object';
   CREATE TABLE deployments (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     service TEXT NOT NULL,
     record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX deployments_by_service ON deployments (service, id);
   CREATE TABLE rules (
     id TEXT PRIMARY KEY,
     record TEXT NOT NULL
   ) STRICT`,
  // Events tell of traces; alerts, and what is sent on, are kept.
  `ALTER TABLE events ADD COLUMN trace_id TEXT;
   CREATE TABLE alert_rules (
     name TEXT PRIMARY KEY,
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE alerts (
     id TEXT PRIMARY KEY,
     rule TEXT NOT NULL,
     service TEXT,
     state TEXT NOT NULL,
     started_at INTEGER NOT NULL,
     resolved_at INTEGER,
     record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX alerts_by_state ON alerts (state, started_at);
   CREATE TABLE silences (
     id TEXT PRIMARY KEY,
     ends_at INTEGER NOT NULL,
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE notifiers (
     name TEXT PRIMARY KEY,
     record TEXT NOT NULL
   ) STRICT;
   CREATE TABLE deliveries (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     notifier TEXT NOT NULL,
     posted_at INTEGER NOT NULL,
     record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX deliveries_by_notifier ON deliveries (notifier, id);
   CREATE TABLE forwarded_logs (
     target TEXT NOT NULL,
     service TEXT NOT NULL,
     cursor TEXT NOT NULL,
     PRIMARY KEY (target, service)
   ) STRICT, WITHOUT ROWID`,
  // People sign in to the console. Cookies know no ports: the suffix keeps those of several agents apart.
  `CREATE TABLE sessions (
     hash BLOB PRIMARY KEY,
     actor TEXT NOT NULL,
     token_record TEXT,
     created_at INTEGER NOT NULL,
     last_seen_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE session_cookie (suffix TEXT NOT NULL) STRICT;
   INSERT INTO session_cookie VALUES (lower(hex(randomblob(4))))`,
];
