package sluice;

import org.apache.beam.runners.core.StateInternals;
import org.apache.beam.runners.core.StateNamespace;
import org.apache.beam.runners.core.StateTags;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.state.MapState;

/**
 * What a splittable DoFn has left to do, kept from its self-checkpoint until its timer fires.
 *
 * <p>All residuals of a key are entries of one map state. A state of its own for each, as in Beam
 * before 2.76, would stay registered in Flink's state and be in every checkpoint forever.
 */
public final class Residual<T> {
  private final StateInternals state;
  private final StateNamespace namespace;
  private final String id;
  private final Coder<T> coder;

  private Residual(StateInternals state, StateNamespace namespace, String id, Coder<T> coder) {
    this.state = state;
    this.namespace = namespace;
    this.id = id;
    this.coder = coder;
  }

  /** The residual of the current key that the timer {@code id} resumes. */
  public static <T> Residual<T> of(
      StateInternals state, StateNamespace namespace, String id, Coder<T> coder) {
    return new Residual<>(state, namespace, id, coder);
  }

  /** Keep a residual. */
  public void put(T residual) {
    pending().put(id, residual);
  }

  /** Return the residual and forget it; no checkpoint is taken before the bundle has ended. */
  public T take() {
    MapState<String, T> pending = pending();
    T residual = pending.get(id).read();
    if (residual == null) { // it is from a checkpoint of before this class
      return state.state(namespace, StateTags.value(id, coder)).read();
    }
    pending.remove(id);
    return residual;
  }

  private MapState<String, T> pending() {
    return state.state(
        namespace, StateTags.map("sdf_checkpoint_residuals", StringUtf8Coder.of(), coder));
  }
}
