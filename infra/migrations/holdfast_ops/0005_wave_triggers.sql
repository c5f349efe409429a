-- Why a wave was started: by a person, an agent, a schedule, a push, or to follow another one.
alter table waves add column trigger text not null default 'operator';
alter table waves alter column trigger drop default;
-- When it was approved is in its evidence.
alter table waves drop column approved_at;
