-- SPDX-License-Identifier: Apache-2.0
-- A handler with libraries = "all": appends a line for each document to the file params.path. A
-- disk that is full is no fault of the change: it is tried again.

function handle(doc, change)
    local file, why = io.open(params.path, "a")
    if not file then
        return "retry", why
    end
    local line = change.id .. "\t" .. (doc and json.encode(doc) or "") .. "\n"
    local written, failure = file:write(line)
    local closed, failed = file:close()
    if not (written and closed) then
        return "retry", failure or failed
    end
end
