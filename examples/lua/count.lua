-- SPDX-License-Identifier: Apache-2.0
-- A handler: counts changes by the type of their documents, and says so now and then. What it
-- keeps in `counts` is lost when tailrace ends.

local counts, seen = {}, 0
local every = params.every or 1000

function handle(doc, change)
    local type = doc and doc.type or "none"
    counts[type] = (counts[type] or 0) + 1
    seen = seen + 1
    if seen % every == 0 then
        log.info(change.db, counts)
    end
end
