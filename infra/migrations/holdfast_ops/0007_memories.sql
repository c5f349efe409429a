-- Rule G12. What was forgotten, without what it said: here, because no restore of the data brings these rows back or takes them away.
create table memory_tombstones (
  memory uuid primary key,
  project text,
  type text not null,
  actor text not null,
  reason text,
  forgotten_at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
);
