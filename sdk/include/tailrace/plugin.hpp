/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin as a C++ class. C++11; nothing of the C++ library crosses the border.
 *
 *     class Counter : public tailrace::instance {
 *     public:
 *         explicit Counter(const tr_host *host) : instance(host) {}
 *         tr_status process(const tr_batch &batch, tr_outcome &outcome) override { … }
 *     };
 *     TR_PLUGIN_CLASS(Counter, "counter", "1.0", "counts changes")
 *
 * A transform derives from tailrace::transformer and has transform() in place of process().
 * The constructor is open(), the destructor close(). An exception ends at the border: in
 * process() it is TR_FATAL with its what() as the message, elsewhere an error with its text; a
 * tailrace::failure chooses the status. Callbacks that a plugin gives away itself (of timers
 * and requests) are guarded by tailrace::shield().
 */
#ifndef TAILRACE_PLUGIN_HPP
#define TAILRACE_PLUGIN_HPP

#include <tailrace/sdk.h>

#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

namespace tailrace
{

/* An exception that says with which status its function ends. */
class failure : public std::runtime_error
{
  public:
    failure(tr_status status, const std::string &text) : std::runtime_error(text), is(status)
    {
    }
    tr_status status() const noexcept
    {
        return is;
    }

  private:
    tr_status is;
};

/* One option, built step by step, since C++ before 20 cannot name members:
 *     static const tailrace::option options[] = {
 *         tailrace::option("every", TR_TYPE_INT, "log each …").preset("100").range(1, 9999)};
 * or a row of a macro such as TR_CONNECTION_TRUST(). It adds nothing to a tr_option, so an
 * array of these is a table. */
struct option : tr_option {
    option(const char *name_, uint32_t type_, const char *help_) : tr_option()
    {
        name = name_;
        type = type_;
        help = help_;
        offset = TR_NO_OFFSET;
    }
    option(const tr_option &row) : tr_option(row)
    {
    }
    option &preset(const char *text)
    {
        return dflt = text, *this;
    }
    option &range(int64_t least, int64_t most)
    {
        return min = least, max = most, *this;
    }
    option &among(const char *const *names)
    {
        return choices = names, *this;
    }
    option &with(uint32_t flag)
    {
        return flags |= flag, *this;
    }
    option &members(const tr_option *table)
    {
        return group = table, *this;
    }
    option &at(std::size_t place)
    {
        return offset = place, *this;
    }
};
static_assert(sizeof(option) == sizeof(tr_option), "an array of options is a table");

/* What all plugins' classes have; for the threads and for what each function is for see
 * <tailrace/plugin.h>. A derived class may have a static check() of its own. */
class lifecycle
{
  public:
    explicit lifecycle(const tr_host *host) : its_host(host)
    {
    }
    virtual ~lifecycle()
    {
    }
    lifecycle(const lifecycle &) = delete;
    lifecycle &operator=(const lifecycle &) = delete;

    static void check(const tr_host *, const tr_config *)
    {
    }
    virtual void configure(const tr_config *)
    {
    }
    virtual void start()
    {
    }
    virtual void flush(int64_t /* deadline_ms */)
    {
    }
    virtual void cancel(tr_ticket)
    {
    }
    virtual void stop(int64_t /* deadline_ms */)
    {
    }

  protected:
    const tr_host *host() const noexcept
    {
        return its_host;
    }

  private:
    const tr_host *its_host;
};

/* What the class of a rule's plugin derives from. */
class instance : public lifecycle
{
  public:
    explicit instance(const tr_host *host) : lifecycle(host)
    {
    }
    virtual tr_status process(const tr_batch &batch, tr_outcome &outcome) = 0;
};

/* What the class of a transform derives from. An exception is TR_REJECT with its what() as the
 * reason, since it mostly is about that one document; a failure chooses another status. */
class transformer : public lifecycle
{
  public:
    explicit transformer(const tr_host *host) : lifecycle(host)
    {
    }
    virtual tr_status transform(const tr_batch &batch, const tr_change &change,
                                tr_doc &doc) = 0;
};

/* Calls `f`; an exception becomes a text in `error` (may be NULL) and `status`, or the one that
 * it carries. */
template <class F> tr_status guard(tr_error *error, tr_status status, F f) noexcept
{
    try {
        f();
        return TR_OK;
    } catch (const failure &e) {
        return tr_fail(error, e.status() != TR_OK ? e.status() : status, "%s", e.what());
    } catch (const std::exception &e) {
        return tr_fail(error, status, "%s", e.what());
    } catch (...) {
        return tr_fail(error, status, "an exception that is no std::exception");
    }
}

template <class F> tr_status guard(tr_error *error, F f) noexcept
{
    return guard(error, TR_FATAL, f);
}

/* Calls `f`; an exception becomes a line in the log. For callbacks that have no answer. */
template <class F> void shield(const tr_host *host, F f) noexcept
{
    char text[256] = "";
    tr_error error = {static_cast<uint32_t>(sizeof(error)), static_cast<uint32_t>(sizeof(text)),
                      text};

    if (guard(&error, f) != TR_OK)
        tr_logf(host, TR_LOG_ERROR, "exception: %s", text);
}

/* The functions of a descriptor for the class T, and what they call self: the object, and room
 * for the text of an exception, which must outlive it. */
template <class T> struct bridge {
    const tr_host *host;
    T object;
    char text[256];

    explicit bridge(const tr_host *host_) : host(host_), object(host_), text()
    {
    }

    static bridge *of(tr_self *self) noexcept
    {
        return reinterpret_cast<bridge *>(self);
    }

    static tr_status check(const tr_host *host, const tr_config *config,
                           tr_error *error) noexcept
    {
        return guard(error, [&] { T::check(host, config); });
    }
    static tr_status open(const tr_host *host, tr_self **ret_self, tr_error *error) noexcept
    {
        return guard(error, [&] { *ret_self = reinterpret_cast<tr_self *>(new bridge(host)); });
    }
    static tr_status configure(tr_self *self, const tr_config *config, tr_error *error) noexcept
    {
        return guard(error, [&] { of(self)->object.configure(config); });
    }
    static tr_status start(tr_self *self, tr_error *error) noexcept
    {
        return guard(error, [&] { of(self)->object.start(); });
    }
    static tr_status process(tr_self *self, const tr_batch *batch, tr_outcome *outcome) noexcept
    {
        bridge *me = of(self);
        tr_error error = {static_cast<uint32_t>(sizeof(error)),
                          static_cast<uint32_t>(sizeof(me->text)), me->text};
        tr_status answer = TR_FATAL;
        tr_status thrown = guard(&error,
                                 [&] { answer = me->object.process(*batch, *outcome); });

        if (thrown == TR_OK)
            return answer;
        outcome->items_count = 0;
        outcome->items = NULL;
        return tr_finish(outcome, thrown > TR_PENDING ? thrown : tr_status(TR_FATAL), me->text);
    }
    static tr_status transform(tr_self *self, const tr_batch *batch, const tr_change *change,
                               tr_doc *doc, tr_error *error) noexcept
    {
        tr_status answer = TR_REJECT, thrown;

        thrown = guard(error, TR_REJECT,
                       [&] { answer = of(self)->object.transform(*batch, *change, *doc); });
        return thrown == TR_OK ? answer : thrown > TR_PENDING ? thrown : tr_status(TR_REJECT);
    }
    static tr_status flush(tr_self *self, int64_t deadline_ms) noexcept
    {
        return logged(self, "flush", [&] { of(self)->object.flush(deadline_ms); });
    }
    static void cancel(tr_self *self, tr_ticket ticket) noexcept
    {
        (void)logged(self, "cancel", [&] { of(self)->object.cancel(ticket); });
    }
    static tr_status stop(tr_self *self, int64_t deadline_ms) noexcept
    {
        return logged(self, "stop", [&] { of(self)->object.stop(deadline_ms); });
    }
    static void close(tr_self *self) noexcept
    {
        delete of(self);
    }

  private:
    template <class F>
    static tr_status logged(tr_self *self, const char *function, F f) noexcept
    {
        char what[256] = "";
        tr_error error = {static_cast<uint32_t>(sizeof(error)),
                          static_cast<uint32_t>(sizeof(what)), what};
        tr_status status = guard(&error, f);

        if (status != TR_OK)
            tr_logf(of(self)->host, TR_LOG_ERROR, "%s: %s", function, what);
        return status;
    }
};

/* Which of the two a class is. */
template <class T> void set_work(tr_plugin &plugin, const instance *) noexcept
{
    plugin.process = bridge<T>::process;
}
template <class T> void set_work(tr_plugin &plugin, const transformer *) noexcept
{
    plugin.transform = bridge<T>::transform;
}

/* A descriptor for the class T. Set further fields (caps, max_inflight) in what it returns. */
template <class T>
tr_plugin describe(const char *name, const char *version, const char *summary) noexcept
{
    tr_plugin plugin = tr_plugin();

    plugin.size = static_cast<uint32_t>(sizeof(plugin));
    plugin.abi_minor = TR_ABI_MINOR;
    plugin.name = name;
    plugin.version = version;
    plugin.summary = summary;
    plugin.check = bridge<T>::check;
    plugin.open = bridge<T>::open;
    plugin.configure = bridge<T>::configure;
    plugin.start = bridge<T>::start;
    set_work<T>(plugin, static_cast<const T *>(NULL));
    plugin.flush = bridge<T>::flush;
    plugin.cancel = bridge<T>::cancel;
    plugin.stop = bridge<T>::stop;
    plugin.close = bridge<T>::close;
    return plugin;
}

/* With a table of options. */
template <class T, std::size_t N>
tr_plugin describe(const char *name, const char *version, const char *summary,
                   const option (&options)[N], uint32_t caps = 0,
                   uint32_t max_inflight = 1) noexcept
{
    tr_plugin plugin = describe<T>(name, version, summary);

    plugin.options = options;
    plugin.options_count = static_cast<uint32_t>(N);
    plugin.options_stride = static_cast<uint32_t>(sizeof(option));
    plugin.caps = caps;
    plugin.max_inflight = max_inflight;
    return plugin;
}

} // namespace tailrace

/* The entry point: TR_PLUGIN_CLASS(Class, the arguments of describe()). */
#define TR_PLUGIN_CLASS(class_, ...)                                                           \
    extern "C" TR_EXPORT const tr_plugin *tr_plugin_v1(void)                                   \
    {                                                                                          \
        static const tr_plugin descriptor = tailrace::describe<class_>(__VA_ARGS__);           \
        return &descriptor;                                                                    \
    }

#endif
