-- The tenants that a generation served and that were deleted since, so that going back to it can say who does not come
-- back. Nothing else of them is kept.

create table generation_tombstones (
    generation_id uuid not null references generations (id) on delete cascade,
    -- No reference: the tenant is gone.
    tenant_id uuid not null,
    name text not null,
    primary key (generation_id, tenant_id)
);
