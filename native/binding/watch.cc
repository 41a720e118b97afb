#include "binding/watch.h"

#include <memory>
#include <optional>
#include <utility>

#include "binding/arguments.h"
#include "binding/failure.h"
#include "binding/sockets.h"
#include "watch/watcher.h"

namespace earshot::binding {
namespace {

using watch::Batch;
using watch::Watcher;

watch::Query watchQuery(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 1);
  watch::Query query;
  query.sockets = toSocketQuery(info);
  query.interval = std::chrono::milliseconds(number(object, "intervalMs"));
  query.existing = object.Get("existing").ToBoolean();
  query.fleeting = object.Get("fleeting").ToBoolean();
  return query;
}

Napi::Value present(Napi::Env env, Batch& batch) {
  auto result = toSocketTableData(env, batch.sockets);
  uint32_t at = 6;
  for (const uint32_t value : {batch.closed, batch.opened, batch.changed, batch.network}) {
    result.Set(at++, Napi::Number::New(env, value));
  }
  result.Set(at, Napi::Boolean::New(env, batch.missed));
  return result;
}

class Watch;

/** What a call that is under way knows of its watch: null when that is gone. Both hold it. */
struct Link {
  Watch* watch;
};
using SharedLink = std::shared_ptr<Link>;

/**
 * A watch as JavaScript holds it. All of it happens on the environment's own thread but for
 * deliver(); the thread that polls is the Watcher's, and ends before this does: when it is closed,
 * when nobody holds it any more, or when the environment goes.
 */
class Watch : public Napi::ObjectWrap<Watch> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Watch",
        {InstanceMethod<&Watch::next>("next"), InstanceMethod<&Watch::close>("close"),
         InstanceMethod<&Watch::ready>("ready"), InstanceMethod<&Watch::setRef>("setRef")});
  }

  explicit Watch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Watch>(info), env_(info.Env()) {
    watch::Query query = watchQuery(info);
    function_ = Function::New(info.Env(), "earshot-watch", 0, 1, new SharedLink(link_),
                              [](Napi::Env, void*, SharedLink* link) { delete link; });
    std::optional<Failure> failure;
    try {
      // The function is a handle that may be used on whatever thread, until it is released.
      watcher_ = std::make_unique<Watcher>(
          std::move(query), [function = function_](std::unique_ptr<Batch> batch) mutable {
            if (function.NonBlockingCall(batch.get()) == napi_ok) batch.release();
          });
    } catch (...) {
      failure = currentFailure();
    }
    if (failure) {
      function_.Release();
      throw toError(info.Env(), *failure);
    }
    napi_add_env_cleanup_hook(env_, onCleanup, this);
    watcher_->waitForStart();
  }

  ~Watch() override {
    link_->watch = nullptr;
    end();
  }

 private:
  static void onBatch(Napi::Env env, Napi::Function, SharedLink* link, Batch* given) {
    const std::unique_ptr<Batch> batch(given);
    // Without an environment it is being taken down: nobody is left to be told.
    if (env != nullptr && (*link)->watch != nullptr) (*link)->watch->took(*batch);
  }
  using Function = Napi::TypedThreadSafeFunction<SharedLink, Batch, onBatch>;

  static void onCleanup(void* data) { static_cast<Watch*>(data)->end(); }

  /** Settles when the first look is done, or it is over. Asked once. */
  Napi::Value ready(const Napi::CallbackInfo&) {
    const auto deferred = Napi::Promise::Deferred::New(env_);
    if (isReady_)
      deferred.Resolve(env_.Undefined());
    else if (ready_)
      deferred.Reject(Napi::TypeError::New(env_, "it was asked already").Value());
    else
      ready_.emplace(deferred);
    return deferred.Promise();
  }

  /** The next batch; null when there will be none. Not before the last one has come. */
  Napi::Value next(const Napi::CallbackInfo& info) {
    const auto deferred = Napi::Promise::Deferred::New(env_);
    if (const auto failure = std::exchange(failure_, std::nullopt)) {
      deferred.Reject(toError(env_, *failure).Value());
    } else if (!watcher_) {
      deferred.Resolve(info.Env().Null());
    } else if (waiting_) {
      deferred.Reject(Napi::TypeError::New(env_, "the last batch has not come yet").Value());
    } else {
      Ref();
      waiting_.emplace(deferred);
      updateRef();
      watcher_->next();
    }
    return deferred.Promise();
  }

  /** Settles when the thread has ended. Asked once. */
  Napi::Value close(const Napi::CallbackInfo&) {
    const auto deferred = Napi::Promise::Deferred::New(env_);
    if (!watcher_) {
      deferred.Resolve(env_.Undefined());
    } else if (closing_) {
      deferred.Reject(Napi::TypeError::New(env_, "it is being closed already").Value());
    } else {
      Ref();
      closing_.emplace(deferred);
      updateRef();
      watcher_->stop();
    }
    return deferred.Promise();
  }

  /** Whether one who waits for a batch keeps the process running. */
  Napi::Value setRef(const Napi::CallbackInfo& info) {
    keeps_ = booleanArgument(info, 0);
    updateRef();
    return info.Env().Undefined();
  }

  void took(Batch& batch) {
    const Napi::HandleScope scope(env_);
    if (batch.ready || batch.ended) becomeReady();
    if (batch.ready) return updateRef();
    const auto waiting = std::exchange(waiting_, std::nullopt);
    const auto closing = batch.ended ? std::exchange(closing_, std::nullopt) : std::nullopt;
    if (batch.ended)
      end();
    else
      updateRef();
    if (waiting) {
      try {
        if (batch.failure)
          waiting->Reject(toError(env_, *batch.failure).Value());
        else
          waiting->Resolve(batch.ended ? env_.Null() : present(env_, batch));
      } catch (const Napi::Error& error) {
        waiting->Reject(error.Value());
      }
      Unref();
    } else if (batch.failure) {
      failure_ = batch.failure;
    }
    if (closing) {
      closing->Resolve(env_.Undefined());
      Unref();
    }
  }

  void becomeReady() {
    isReady_ = true;
    if (const auto ready = std::exchange(ready_, std::nullopt)) ready->Resolve(env_.Undefined());
  }

  /** Ends the thread, waiting for it, and gives back what it was given. */
  void end() {
    if (!watcher_) return;
    watcher_.reset();
    napi_remove_env_cleanup_hook(env_, onCleanup, this);
    function_.Release();
  }

  void updateRef() {
    if (!watcher_) return;
    if (closing_ || ((waiting_ || !isReady_) && keeps_))
      function_.Ref(env_);
    else
      function_.Unref(env_);
  }

  Napi::Env env_;
  const SharedLink link_ = std::make_shared<Link>(Link{this});
  Function function_;
  std::unique_ptr<Watcher> watcher_;
  std::optional<Napi::Promise::Deferred> ready_;
  bool isReady_ = false;
  std::optional<Napi::Promise::Deferred> waiting_;
  std::optional<Napi::Promise::Deferred> closing_;
  std::optional<Failure> failure_;
  bool keeps_ = true;
};

}  // namespace

Napi::Value startWatch(const Napi::CallbackInfo& info) {
  // The class is made for each watch: there are few, and nothing is kept between environments so.
  return Watch::define(info.Env()).New({info[0], info[1]});
}

}  // namespace earshot::binding
