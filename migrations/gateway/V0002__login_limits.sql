-- Refreshing has a rate per login: when the whole burst is allowed again. Null: it is now.
ALTER TABLE refresh_families ADD COLUMN refreshes_full_at timestamptz;

-- A customer has so many logins at once; a new one ends the oldest.
ALTER TABLE refresh_families
    DROP CONSTRAINT refresh_families_ended_because_check,
    ADD CONSTRAINT refresh_families_ended_because_check
        CHECK (ended_because IN ('logout', 'reuse', 'crowded_out'));
CREATE INDEX refresh_families_live ON refresh_families (customer_id, created_at) WHERE ended_because IS NULL;

-- What has ended is forgotten a while after its end, not only after it would have expired.
CREATE INDEX refresh_families_ended_at ON refresh_families (ended_at) WHERE ended_at IS NOT NULL;

GRANT UPDATE (refreshes_full_at) ON refresh_families TO gateway;
