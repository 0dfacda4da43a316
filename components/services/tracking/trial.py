"""Try a model folder as a stranger would: `python -I trial.py FOLDER` loads it, restores its stored
example, prints JSON.

Run by `try_pyfunc` in a process that knows nothing of this repository. Prints the largest
difference from the stored restoration, where the model's code came from, and the modules it needed.
"""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import mlflow  # noqa: E402
import numpy as np  # noqa: E402


def main(folder: Path) -> None:
    """Load, restore, compare, print."""
    model = mlflow.pyfunc.load_model(str(folder))
    restored = model.predict(np.load(folder / "example" / "blurred.npy", allow_pickle=False))
    expected = np.load(folder / "example" / "restored.npy", allow_pickle=False)
    code = sys.modules.get("components.nets.restore")
    print(
        json.dumps(
            {
                "largest_error": float(np.abs(restored - expected).max()),
                "code": "" if code is None or code.__file__ is None else str(Path(code.__file__).resolve()),
                "modules": sorted({name.split(".")[0] for name in sys.modules}),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
