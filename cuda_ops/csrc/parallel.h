// A loop over several threads that never waits for a thread which has not begun.
//
// At the end of an OpenMP region every thread must arrive, also one that the system has not yet
// scheduled: on a machine whose cores are busy (DataLoader workers, other jobs) that costs one or
// more time slices, 8 to 24 ms for work of 0.1 ms. Here the caller takes pieces like everybody
// else and at the end waits only for pieces that are in hand.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace bench {
namespace detail {

inline void breathe() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

class Pool {
 public:
  // The process's helpers. Never destroyed: they may outlive every static object.
  static Pool& shared() {
    Pool* pool = current().load(std::memory_order_acquire);
    if (pool != nullptr) return *pool;
    // A forked child inherits no threads, and perhaps a locked mutex: it starts with a new pool.
    static const int registered =
        pthread_atfork(nullptr, nullptr, [] { current().store(nullptr); });
    (void)registered;
    Pool* fresh = new Pool;
    if (current().compare_exchange_strong(pool, fresh)) return *fresh;
    delete fresh;
    return *pool;
  }

  using Call = void (*)(void* context, int64_t piece);

  void run(int threads, int64_t count, Call call, void* context) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (!turn.owns_lock()) {  // another thread of the program is at it: do not queue up
      for (int64_t i = 0; i < count; ++i) call(context, i);
      return;
    }
    bool asleep;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (; helpers_ < threads - 1; ++helpers_) {
        // A system out of threads or memory throws, and no exception may cross the C boundary:
        // whoever is there does the work.
        try {
          std::thread([this] { help(); }).detach();
        } catch (...) {
          break;
        }
      }
      call_ = call;
      context_ = context;
      count_ = count;
      next_.store(0, std::memory_order_relaxed);
      seats_ = threads - 1;
      generation_.fetch_add(1, std::memory_order_release);
      asleep = sleeping_ > 0;
    }
    if (asleep) wake_.notify_all();
    work();
    std::unique_lock<std::mutex> lock(mutex_);
    seats_ = 0;  // whoever comes now is too late
    lock.unlock();
    for (int spin = 0; spin < kSpins && active_.load(std::memory_order_acquire) > 0; ++spin) {
      breathe();
    }
    lock.lock();
    done_.wait(lock, [this] { return active_.load(std::memory_order_acquire) == 0; });
  }

 private:
  static constexpr int kSpins = 2000;  // some 30 us: calls often follow each other closely

  static std::atomic<Pool*>& current() {
    static std::atomic<Pool*> pool{nullptr};
    return pool;
  }

  void work() {
    for (;;) {
      const int64_t piece = next_.fetch_add(1, std::memory_order_relaxed);
      if (piece >= count_) return;
      call_(context_, piece);
    }
  }

  void help() {
    uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins; ++spin) {
        if (generation_.load(std::memory_order_acquire) != seen) break;
        breathe();
      }
      {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleeping_;
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        --sleeping_;
        seen = generation_.load(std::memory_order_relaxed);
        if (seats_ == 0) continue;
        --seats_;
        active_.fetch_add(1, std::memory_order_relaxed);
      }
      work();
      std::lock_guard<std::mutex> lock(mutex_);
      if (active_.fetch_sub(1, std::memory_order_acq_rel) == 1) done_.notify_one();
    }
  }

  std::mutex turn_;   // held by the one caller that uses the helpers
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_, done_;
  int helpers_ = 0, sleeping_ = 0, seats_ = 0;
  Call call_ = nullptr;
  void* context_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  std::atomic<int> active_{0};
  std::atomic<uint64_t> generation_{0};
};

}  // namespace detail

// body(piece) for every piece in [0, count), by at most `threads` threads, in any order.
template <class Body>
void parallel_for(int threads, int64_t count, Body body) {
  if (threads <= 1 || count <= 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  detail::Pool::shared().run(
      static_cast<int>(std::min<int64_t>(threads, count)), count,
      [](void* context, int64_t piece) { (*static_cast<Body*>(context))(piece); }, &body);
}

}  // namespace bench
