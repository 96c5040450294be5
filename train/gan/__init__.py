"""What adversarial training needs beside networks."""
