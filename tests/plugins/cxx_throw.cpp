/* SPDX-License-Identifier: Apache-2.0 */
/* cxx_throw: throws where its option says, through the guards of plugin.hpp. */
#include <tailrace/plugin.hpp>

static const char *const places[] = {"nowhere", "check", "configure", "start",
                                     "process", "odd",   "reject",    NULL};

static const tailrace::option options[] = {
    tailrace::option("where", TR_TYPE_ENUM, "where it throws").preset("nowhere").among(places)};

class Thrower : public tailrace::instance
{
  public:
    explicit Thrower(const tr_host *host) : instance(host)
    {
    }

    static void check(const tr_host *host, const tr_config *config)
    {
        if (place(host, config) == "check")
            throw std::runtime_error("thrown by check");
    }

    void configure(const tr_config *config) override
    {
        where = place(host(), config);
        if (where == "configure")
            throw tailrace::failure(TR_EINVAL, "thrown by configure");
    }

    void start() override
    {
        if (where == "start")
            throw std::runtime_error("thrown by start");
    }

    tr_status process(const tr_batch &, tr_outcome &outcome) override
    {
        if (where == "process")
            throw std::runtime_error("thrown by process");
        if (where == "odd")
            throw 42;
        if (where == "reject")
            throw tailrace::failure(TR_REJECT, "thrown as a verdict");
        return tr_finish(&outcome, TR_OK, "nothing thrown");
    }

    void flush(int64_t) override
    {
        throw std::runtime_error("thrown by flush");
    }

  private:
    static std::string place(const tr_host *host, const tr_config *config)
    {
        tr_value value = tr_value();
        value.size = sizeof(value);
        if (host->config_get(config, "where", 0, &value) != TR_OK)
            throw std::logic_error("the option has a default");
        return std::string(value.s.ptr, value.s.len);
    }

    std::string where;
};

TR_PLUGIN_CLASS(Thrower, "cxx_throw", "1.0", "throws exceptions", options)
