-- SPDX-License-Identifier: Apache-2.0
-- A transform: posts get a slug of their title and a number of words; drafts are left out.

function transform(doc, change)
    if change.deleted or not doc then
        return doc
    end
    if doc.draft == true then
        return false
    end
    local title = doc.title or error("a post without a title")
    doc.slug = title:lower():gsub("[^%w]+", "-"):gsub("^%-", ""):gsub("%-$", "")
    doc.words = select(2, (doc.text or ""):gsub("%S+", ""))
    return doc
end
