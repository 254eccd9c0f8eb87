-- When a generation was first proven to run. Only those are kept for going back; one that never ran is forgotten with its
-- attempt, so the last number that was given stands by itself: none is given twice.

alter table generations add column live_at integer;

update generations set live_at = (select min(d.ended_at) from deployments d
    where d.generation_id = generations.id and d.status in ('live', 'partial'));
update generations set live_at = created_at where live_at is null
    and exists (select 1 from instances i where i.live_generation_id = generations.id);

alter table instances add column last_generation integer not null default 0;

update instances set last_generation =
    (select coalesce(max(g.number), 0) from generations g where g.instance_id = instances.id);
