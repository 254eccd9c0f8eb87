-- The settings of an instance by revision: those that are live stay in force for whoever moves none, until a deploy of the
-- platform moves to newer ones.

create table instance_settings (
    instance_id uuid not null references instances (id) on delete cascade,
    revision bigint not null,
    settings jsonb not null,
    primary key (instance_id, revision)
);

insert into instance_settings (instance_id, revision, settings) select id, settings_revision, settings from instances;
