-- The jobs of all features, one row each: src/platform/jobs/ reads and writes it.
create table scheduled_jobs (
  name text primary key,
  -- The due time that is run next. While owner is set, it is being run, or its process has died.
  due_at timestamptz(3) not null,
  -- The due time that was run last.
  last_due_at timestamptz(3),
  -- The process that runs the job.
  owner text,
  -- When another process may run it, unless the owner moves this time forward.
  expires_at timestamptz(3),
  succeeded_at timestamptz(3)
);
