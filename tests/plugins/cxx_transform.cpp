/* SPDX-License-Identifier: Apache-2.0 */
/* cxx_transform: a transform as a class; throws when the document's id says so. */
#include <tailrace/plugin.hpp>

class Picky : public tailrace::transformer
{
  public:
    explicit Picky(const tr_host *host) : transformer(host)
    {
    }

    tr_status transform(const tr_batch &, const tr_change &change, tr_doc &) override
    {
        const std::string id(change.id.ptr, change.id.len);

        if (id == "throw")
            throw std::runtime_error("thrown by transform");
        if (id == "fail")
            throw tailrace::failure(TR_FATAL, "thrown as a verdict");
        return id == "skip" ? TR_SKIP : TR_OK;
    }
};

TR_PLUGIN_CLASS(Picky, "cxx_transform", "1.0", "throws exceptions from transform()")
